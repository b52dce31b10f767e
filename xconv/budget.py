"""A budget of bytes that a network's layers divide by their observed needs.

Each layer records the spectra of its input and of its output gradient from time to time. When plans
are renewed, all layers get new ones with the same price of a byte. Before anything has been
recorded, every layer has the nominal plan at the average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import _disable_current_modes

from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.probing import Probing
from xconv.schemes import SCHEMES
from xconv.spectrum.blocks import Blocks, blocks_of, by_frequency, transform
from xconv.spectrum.plan import BITS, BlockPlan, Contribution, most_bits

STEPS_TO_LEARN = 2
"""Steps until layers work by what they have seen: the second begins with plans from the first."""

_LONGEST_PAUSE = 64
"""Calls after which a plan is renewed at the latest; at first after 1, 2, 4, … calls."""
_REMEMBERED = 256
"""Number of calls whose plans are remembered by seed, for checkpoints that repeat a call."""
_LOOKED_AT = 2**20
"""Elements from which a spectrum is measured, if one channel of all images has no more."""
_TOGETHER = {"cpu": 2**18}
_TOGETHER_ELSEWHERE = _LOOKED_AT
"""Elements to process together, if one map has no more."""


_KEPT: ContextVar[bool] = ContextVar("_KEPT", default=False)


@contextmanager
def plans_kept() -> Iterator[None]:
    """Stop layers from recording spectra and renewing plans inside the context.

    A step that is measured then behaves like most steps of a training.
    """
    token = _KEPT.set(True)
    try:
        yield
    finally:
        _KEPT.reset(token)


@dataclass(eq=False)
class Budget:
    """The value of ``probing``, as an average over the ``members``."""

    probing: Probing
    members: list[Member] = field(default_factory=list)
    renewals: int = 0
    """Number of times that plans were renewed."""

    def add(self) -> Member:
        """Add a member and return it."""
        self.members.append(Member(self))
        return self.members[-1]

    def renew(self) -> None:
        """Give a new plan to every member that has seen an input and a gradient.

        The others keep theirs, since nothing is known about them. The device is waited for once.
        Dispatch modes, which record operators, do not see these, because they run only in some
        calls.
        """
        with _disable_current_modes():
            parts = {member: member.part() for member in self.members}
            known = {member: part for member, part in parts.items() if part is not None}
            if known:
                scheme = SCHEMES[self.probing.scheme]
                plans = scheme.divide(list(known.values()), self.probing.dial[1])
                for member, plan in zip(known, plans, strict=True):
                    member.plan = plan
        self.renewals += 1


@dataclass(eq=False)
class Member:
    """The observations of one layer, and its plan."""

    budget: Budget
    blocks: Blocks | None = None
    shape: tuple[int, int, int] = (0, 0, 0)
    """Images, channels and pixels of the last input."""
    most_bits: int = max(BITS)
    """Largest number of bits that a coefficient of that input may take."""
    energies: Tensor | None = None
    """Mean energy of each coefficient of the input, float64."""
    weights: Tensor | None = None
    """Variance of the weight gradient per unit of variance of a coefficient, float64."""
    plan: BlockPlan | float | None = None
    """The plan, or the value of the scheme's dial; None stands for the nominal plan."""
    calls: int = 0
    is_due: bool = False
    """Whether a gradient has been seen since the last plan."""
    planned: dict[tuple[int, Blocks], BlockPlan | float | None] = field(default_factory=dict)
    """Plans of the last calls, by seed and blocks."""
    renewals: int = 0
    """The budget's ``renewals`` when this member last asked for a plan."""

    def plan_for(self, input: Tensor, seed: Tensor) -> BlockPlan | float | None:
        """Return the plan for ``input`` (batch, channels, *pixels), renewed when it is time.

        None stands for the nominal plan. A checkpoint that repeats a call with its ``seed`` gets
        the same plan again. During compilation the current plan is returned.
        """
        if torch.compiler.is_compiling():
            known = self.blocks is not None and self.blocks.pixels == tuple(input.shape[2:])
            return self.plan if known else None
        blocks = blocks_of(tuple(input.shape[2:]))
        if blocks != self.blocks:
            self.blocks, self.energies, self.weights, self.plan = blocks, None, None, None
            self.calls, self.is_due = 0, False
        self.shape = input.shape[0], input.shape[1], prod(blocks.pixels)
        self.most_bits = most_bits(input.dtype)
        if not _is_looked_at(input):
            return self.plan
        call = int(seed), blocks
        if call not in self.planned:
            self._renew()
            self.calls += 1
            if len(self.planned) >= _REMEMBERED:
                del self.planned[next(iter(self.planned))]
            self.planned[call] = self.plan
        return self.planned[call]

    def _renew(self) -> None:
        """Renew all plans if there is reason to and no other member has done so."""
        if self.is_due:
            if self.renewals == self.budget.renewals:
                self.budget.renew()
            self.renewals, self.is_due = self.budget.renewals, False

    def observes(self, input: Tensor) -> bool:
        """Return whether to record the spectra of the call that was just planned.

        After its gradient, the next call renews the plan.
        """
        return _is_looked_at(input) and _is_time(self.calls)

    def see_input(self, input: Tensor) -> None:
        """Record the spectrum of ``input``."""
        assert self.blocks is not None
        self.energies = _spectrum(input, self.blocks)

    def see_gradient(
        self, grad_output: Tensor, geometry: Geometry, weight: Tensor, layout: Layout
    ) -> None:
        """Record the spectrum of ``grad_output``, averaged with the earlier one if there is one."""
        blocks = blocks_of(tuple(layout.shape[2:]))
        if blocks != self.blocks:
            return
        fan = weight[0].numel()
        if not geometry.transposed:
            fan = weight.numel() // weight.shape[1] // geometry.groups
        new = _spectrum(
            grad_output, blocks, lambda maps: _on_grid_of_input(maps, geometry, layout)
        ).mul_(fan)
        self.weights = new if self.weights is None else _mean(self.weights, new)
        self.is_due = True

    def part(self) -> Contribution | None:
        """Return what this layer contributes to a common plan, or None if that is not known."""
        if self.blocks is None or self.energies is None or self.weights is None:
            return None
        images, channels, pixels = self.shape
        energies, weights = self.energies.cpu(), self.weights.cpu()
        importance = energies * weights
        if not bool(importance.isfinite().all()):
            return None
        return Contribution(
            importance,
            images * channels * self.blocks.number,
            images * channels * pixels,
            float(energies.mean()),
            float(weights.mean()),
            self.shape,
            self.most_bits,
        )


def _mean(old: Tensor, new: Tensor) -> Tensor:
    """Return the mean of both, or one alone if the other overflowed, as with scaled losses."""
    mean = torch.where(new.isfinite(), (old + new) / 2, old)
    return torch.where(old.isfinite(), mean, new)


def _is_time(calls: int) -> bool:
    if calls >= _LONGEST_PAUSE:
        return calls % _LONGEST_PAUSE == 0
    return calls & (calls - 1) == 0


def _is_looked_at(tensor: Tensor) -> bool:
    """Return whether there are values to look at, and nothing records or forbids doing so."""
    if torch.compiler.is_compiling() or isinstance(tensor, FakeTensor) or _KEPT.get():
        return False
    if tensor.device.type == "meta":
        return False
    return not (tensor.is_cuda and torch.cuda.is_current_stream_capturing())


def _some(tensor: Tensor, pixels: int) -> Tensor:
    """Return some channels of all images, limited in number by the ``pixels`` of a map.

    All images are needed, since a few may have nearly all of a gradient's energy.
    """
    batch, channels = tensor.shape[:2]
    step = -(-batch * channels * pixels // _LOOKED_AT)
    return tensor.detach()[:, :: min(max(step, 1), channels)]


def _spectrum(
    tensor: Tensor, blocks: Blocks, on_grid: Callable[[Tensor], Tensor] = lambda maps: maps
) -> Tensor:
    """Return the mean energy of each coefficient of some channels, float64.

    ``on_grid`` is applied to a few maps at a time, since a stride makes them larger.
    """
    pixels = prod(blocks.pixels)
    maps = _some(tensor, pixels).flatten(0, 1)[:, None]
    total = torch.zeros(blocks.size, dtype=torch.float64, device=tensor.device)
    together = _TOGETHER.get(tensor.device.type, _TOGETHER_ELSEWHERE)
    for some in maps.split(max(1, together // pixels)):
        lines = on_grid(some).float().reshape(-1, *blocks.pixels)
        ordered = by_frequency(transform(lines, blocks), blocks).reshape(blocks.size, -1)
        total += ordered.square_().sum(1)
    return total / (len(maps) * blocks.number)


def _on_grid_of_input(grad_output: Tensor, geometry: Geometry, layout: Layout) -> Tensor:
    """Return ``grad_output`` at the input's pixels, spread out or thinned by the stride."""
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
