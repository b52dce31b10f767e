"""Tables of the spectral scheme outlive whoever looked on when they were made."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import xconv
from xconv.spectrum.blocks import blocks_of, cosines
from xconv.spectrum.plan import nominal_plan

SIDE = 37
"""The side of a map for which no other test has made a table before."""


def gradient() -> torch.Tensor:
    layer = xconv.XConv2d(2, 3, 3, padding=1, scheme="spectral")
    layer(torch.ones(2, 2, SIDE, SIDE)).sum().backward()
    assert layer.weight.grad is not None
    return layer.weight.grad


def test_what_was_made_in_a_simulation_serves_those_who_come_after() -> None:
    with FakeTensorMode():
        assert type(gradient()) is not torch.Tensor
    found = gradient()
    assert type(found) is torch.Tensor
    assert found.isfinite().all() and found.abs().max() > 0


def test_what_was_made_in_inference_mode_may_be_part_of_a_graph() -> None:
    with torch.inference_mode():
        rows = cosines(41, torch.float32, torch.device("cpu"))
        plan = nominal_plan(blocks_of((41,)), 0.3)
    assert not (rows.is_inference() or plan.probabilities.is_inference())
