"""Bits of a network, divided among its layers by what they have been seen to need.

Each layer notes the spectrum of its input and of its output gradient now and then; when a plan is
renewed, all layers get theirs anew from one price of a bit. Before anything has been seen, every
layer has the nominal plan at the average number of bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.spectrum.blocks import Blocks, blocks_of, by_frequency, transform
from xconv.spectrum.plan import Part, Plan, divide, nominal_importance

_LONGEST_PAUSE = 64
"""Calls after which a plan is renewed at the latest; before, after 1, 2, 4, … calls."""
_LOOKED_AT = 2**20
"""Elements of a tensor that its spectrum is measured from, or one channel of all images."""


_KEPT: ContextVar[bool] = ContextVar("_KEPT", default=False)


@contextmanager
def plans_kept() -> Iterator[None]:
    """Inside, no layer looks at spectra and none renews its plan: a step is one of the many."""
    token = _KEPT.set(True)
    try:
        yield
    finally:
        _KEPT.reset(token)


@dataclass(eq=False)
class Budget:
    """``bits`` an element, on average over the ``members``."""

    bits: float
    members: list[Member] = field(default_factory=list)
    renewals: int = 0
    """How often plans were renewed."""

    def add(self) -> Member:
        """Return a new member."""
        self.members.append(Member(self))
        return self.members[-1]

    def renew(self) -> None:
        """Give every member that has seen an input a new plan. Waits for a device, once."""
        seen = [member for member in self.members if member.energies is not None]
        parts = [member.part() for member in seen]
        for member, plan in zip(seen, divide(parts, self.bits) if parts else [], strict=True):
            member.plan = plan
        self.renewals += 1


@dataclass(eq=False)
class Member:
    """What one layer has seen, and its plan."""

    budget: Budget
    blocks: Blocks | None = None
    maps: int = 0
    """Images times channels of the last input."""
    energies: Tensor | None = None
    """Mean energy of each coefficient of the input, float64."""
    weights: Tensor | None = None
    """Variance of the weight gradient for one unit of variance of a coefficient, float64."""
    plan: Plan | None = None
    calls: int = 0
    renewals: int = 0
    """Those of the budget when this member last asked for one."""

    def plan_for(self, input: Tensor) -> Plan | None:
        """Return the plan for ``input`` (batch, channels, *pixels), renewed when it is time.

        None, which stands for the nominal one, before anything has been seen. A compiler gets the
        plan that there is.
        """
        if torch.compiler.is_compiling():
            known = self.blocks is not None and self.blocks.pixels == tuple(input.shape[2:])
            return self.plan if known else None
        blocks = blocks_of(tuple(input.shape[2:]))
        if blocks != self.blocks:
            self.blocks, self.energies, self.weights, self.plan = blocks, None, None, None
            self.calls = 0
        self.maps = input.shape[0] * input.shape[1]
        if not _is_looked_at(input):
            return self.plan
        if self.calls and _is_time(self.calls):
            if self.renewals == self.budget.renewals:
                self.budget.renew()
            self.renewals = self.budget.renewals
        self.calls += 1
        return self.plan

    def observes(self, input: Tensor) -> bool:
        """Return whether the call just planned is one to look at: the next one renews the plan."""
        return _is_looked_at(input) and _is_time(self.calls)

    def see_input(self, input: Tensor) -> None:
        """Note the spectrum of ``input``."""
        assert self.blocks is not None
        self.energies = _spectrum(input, self.blocks)

    def see_gradient(
        self, grad_output: Tensor, geometry: Geometry, weight: Tensor, layout: Layout
    ) -> None:
        """Note the spectrum of ``grad_output``, half of it if there is an earlier one."""
        blocks = blocks_of(tuple(layout.shape[2:]))
        if blocks != self.blocks:
            return
        on_grid = _on_grid_of_input(_some(grad_output), geometry, layout)
        fan = weight[0].numel() if geometry.transposed else weight.numel() // weight.shape[1]
        new = _spectrum(on_grid, blocks).mul_(
            fan / geometry.groups if not geometry.transposed else fan
        )
        self.weights = new if self.weights is None else (self.weights + new) / 2

    def part(self) -> Part:
        """Return what this layer brings to a plan for several."""
        assert self.blocks is not None and self.energies is not None
        energies = self.energies.cpu()
        if self.weights is not None:
            importance = energies * self.weights.cpu()
        else:
            importance = energies / prod(self.blocks.pixels)
        if not bool(torch.isfinite(importance).all()):
            importance = nominal_importance(self.blocks)
        return Part(importance, self.maps * self.blocks.number)


def _is_time(calls: int) -> bool:
    if calls >= _LONGEST_PAUSE:
        return calls % _LONGEST_PAUSE == 0
    return calls & (calls - 1) == 0


def _is_looked_at(tensor: Tensor) -> bool:
    """Whether there are values to look at, and nobody who records or forbids the looking."""
    if torch.compiler.is_compiling() or isinstance(tensor, FakeTensor) or _KEPT.get():
        return False
    if tensor.device.type == "meta":
        return False
    return not (tensor.is_cuda and torch.cuda.is_current_stream_capturing())


def _some(tensor: Tensor) -> Tensor:
    """Some channels of all images: a few images may have nearly all of a gradient's energy."""
    step = -(-tensor.numel() // _LOOKED_AT)
    return tensor.detach()[:, :: min(max(step, 1), tensor.shape[1])]


def _spectrum(images: Tensor, blocks: Blocks) -> Tensor:
    images = _some(images).float()
    coefficients = transform(images.reshape(-1, *blocks.pixels), blocks)
    ordered = by_frequency(coefficients, blocks).reshape(blocks.size, -1)
    return ordered.square().mean(1, dtype=torch.float64)


def _on_grid_of_input(grad_output: Tensor, geometry: Geometry, layout: Layout) -> Tensor:
    """``grad_output`` where its pixels meet those of the input: spread or thinned by the stride."""
    lines: Any = (..., *(slice(None, None, step) for step in geometry.stride))
    if geometry.transposed:
        grad_output = grad_output[lines]
    result = grad_output.new_zeros(*grad_output.shape[:2], *layout.shape[2:])
    target = result if geometry.transposed else result[lines]
    shared: Any = (
        ...,
        *(
            slice(0, min(a, b))
            for a, b in zip(target.shape[2:], grad_output.shape[2:], strict=True)
        ),
    )
    target[shared] = grad_output[shared]
    return result
