"""Tables of the spectral scheme outlive whoever looked on when they were made."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import xconv

Mode = Callable[[], AbstractContextManager[object]]

MODES: dict[str, tuple[Mode, int]] = {
    "simulation": (lambda: FakeTensorMode(allow_non_fake_inputs=True), 37),
    "inference": (torch.inference_mode, 38),
}
"""Each with a map of its own, so that the test before has made no table for it."""


@pytest.mark.parametrize("name", MODES)
def test_what_was_made_under_a_mode_serves_those_who_come_after(name: str) -> None:
    mode, side = MODES[name]
    layer = xconv.XConv2d(2, 3, 3, padding=1, scheme="spectral")
    with mode():
        inside = xconv.XConv2d(2, 3, 3, padding=1, scheme="spectral")
        with torch.inference_mode(False), torch.enable_grad():
            inside(torch.ones(2, 2, side, side)).sum().backward()
    layer(torch.randn(2, 2, side, side)).sum().backward()
    gradient = layer.weight.grad
    assert gradient is not None and type(gradient) is torch.Tensor
    assert gradient.isfinite().all() and gradient.abs().max() > 0
