"""Networks are put back in place: what was shared stays shared, what is not theirs is left."""

import functools
import logging
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from xconv_bench.models.snapshot import Snapshot


class Holder(nn.Module):
    def __init__(self, **held: Any) -> None:
        super().__init__()
        vars(self).update(held)


def test_who_shares_something_still_shares_it() -> None:
    shared, weight = [1], nn.Parameter(torch.ones(4))
    first, second = Holder(list=shared, view=weight.data[:2]), Holder(list=shared)
    first.weight = second.weight = weight
    snapshot = Snapshot(nn.Sequential(first, second))
    first.list.append(2)
    second.list = [7]
    with torch.no_grad():
        weight.zero_()
    second.weight = nn.Parameter(torch.zeros(4))
    snapshot.restore()
    assert first.list is second.list is shared and shared == [1]
    assert first.weight is second.weight is weight
    assert first.view.tolist() == [1, 1]
    weight.data[0] = 5
    assert first.view.tolist() == [5, 1]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2, 3).t(),
        torch.ones(1).expand(4),
        torch.ones(2, 2).to_sparse(),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(3, dtype=torch.int64),
        torch.ones(()),
        torch.ones(0),
        torch.ones(2, 3).requires_grad_() * 1,
    ],
    ids=["transposed", "expanded", "sparse", "complex", "integer", "scalar", "empty", "computed"],
)
def test_tensors_of_all_kinds(tensor: Tensor) -> None:
    before = tensor.detach().to_dense().clone() if tensor.is_sparse else tensor.detach().clone()
    model = Holder(tensor=tensor)
    snapshot = Snapshot(model)
    for _ in range(2):
        other = torch.full((5,), 3.0, dtype=tensor.dtype)
        tensor.data = other.to_sparse() if tensor.is_sparse else other
        model.tensor = None
        snapshot.restore()
        assert model.tensor is tensor
        found = tensor.detach()
        assert (found.to_dense() if found.is_sparse else found).equal(before)


def test_numbers_in_place_and_what_needs_a_gradient() -> None:
    model = nn.Linear(2, 2)
    before = [p.detach().clone() for p in model.parameters()]
    snapshot = Snapshot(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    model.weight.requires_grad_(False)
    model.eval()
    model.register_buffer("late", torch.ones(1))
    snapshot.restore()
    assert all(p.equal(b) for p, b in zip(model.parameters(), before, strict=True))
    assert model.weight.requires_grad and model.training and list(model.buffers()) == []


def test_objects_functions_and_methods_are_looked_into() -> None:
    class Owner:
        def __init__(self) -> None:
            self.calls = 0

        def call(self) -> None:
            self.calls += 1

    owner, other, kept = Owner(), Owner(), SimpleNamespace(values={"a": {1, 2}})
    model = Holder(method=owner.call, partial=functools.partial(Owner.call, other), kept=kept)
    snapshot = Snapshot(model)
    for _ in range(3):
        model.method()
        model.partial()
    kept.values["a"].add(3)
    kept.values["b"] = 4
    kept.late = 5
    snapshot.restore()
    assert owner.calls == other.calls == 0
    assert vars(kept) == {"values": {"a": {1, 2}}}


def test_what_belongs_to_libraries_is_left_alone() -> None:
    logger = logging.getLogger("xconv_bench.test")
    snapshot = Snapshot(Holder(logger=logger, chance=random))
    logger.setLevel(logging.ERROR)
    random.seed(3)
    expected = random.getstate()
    snapshot.restore()
    assert logger.level == logging.ERROR and random.getstate() == expected


def test_generators_of_its_own_follow_from_the_seed_each_otherwise() -> None:
    def drawn(seed: int, start: int) -> list[float]:
        model = Holder(
            torch=torch.Generator().manual_seed(start),
            first=np.random.default_rng(start),
            second=np.random.default_rng(start),
            nested=[random.Random(start), np.random.RandomState(start)],
            bits=np.random.Philox(start),
        )
        Snapshot(model).seed(seed)
        return [
            float(torch.rand((), generator=model.torch)),
            model.first.random(),
            model.second.random(),
            model.nested[0].random(),
            model.nested[1].rand(),
            float(model.bits.random_raw()),
        ]

    assert drawn(1, 0) == drawn(1, 9)
    assert not set(drawn(1, 0)) & set(drawn(2, 0))
    assert len(set(drawn(1, 0))) == 6


def test_what_cannot_be_put_back_is_named() -> None:
    model = nn.Sequential(Holder(stream=(n for n in range(9)), chance=random.SystemRandom()))
    assert Snapshot(model).lost == ["0.stream (a generator)", "0.chance (a SystemRandom)"]
    assert Snapshot(nn.Linear(1, 1)).lost == []


def test_circles_end() -> None:
    model, circle = Holder(), []
    circle.append(circle)
    model.circle, model.__dict__["me"] = circle, model
    Snapshot(model).restore()
    assert model.circle is circle and len(circle) == 1
