"""``advise``: measure a network once, and work out what each of its modules should keep."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter

from xconv.planning.candidates import base_plan, planned_modules, with_settings
from xconv.planning.choosing import (
    NoRoomError,
    Option,
    at_once,
    choose,
    smallest,
    total_bytes,
    total_variance,
)
from xconv.planning.measuring import Steps, Variances, measure_bytes, measure_variances
from xconv.planning.plan import Plan, Setting
from xconv.saved.function_table import REACHED

_MIB = 2**20


@dataclass(frozen=True)
class Line:
    """One module of a plan: its ``setting``, None where it is exact; the bytes that it keeps, those
    that it would keep exactly, and the variance that it adds to the gradient of all weights, in
    squared gradient norms."""

    name: str
    family: str
    setting: Setting | None
    bytes: int
    exact_bytes: int
    variance: float


@dataclass(frozen=True)
class Advice:
    """A plan and what it is expected to cost.

    ``error`` is the expected distance of the gradient of all weights from the exact one, relative
    to that. Bytes are those that the modules of ``lines`` keep for the backward pass.
    """

    plan: Plan
    lines: tuple[Line, ...]

    @property
    def error(self) -> float:
        """Return the expected relative error, root mean square."""
        return sqrt(sum(line.variance for line in self.lines))

    @property
    def saved_bytes(self) -> int:
        """Return what all modules together keep."""
        return sum(line.bytes for line in self.lines)

    @property
    def exact_bytes(self) -> int:
        """Return what they would keep exactly."""
        return sum(line.exact_bytes for line in self.lines)

    def __str__(self) -> str:
        rows = [("module", "keeps", "MiB", "exactly", "error")]
        rows += [
            (
                line.name or "(model)",
                "exact" if line.setting is None else str(line.setting),
                f"{line.bytes / _MIB:.2f}",
                f"{line.exact_bytes / _MIB:.2f}",
                f"{sqrt(line.variance):.3g}",
            )
            for line in self.lines
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(
            [
                *(line.rstrip() for line in lines),
                f"{self.saved_bytes / _MIB:.2f} MiB kept, {self.exact_bytes / _MIB:.2f} exactly; "
                f"expected error {self.error:.3g}",
            ]
        )


@dataclass(frozen=True)
class Costs:
    """What every setting of every module keeps and adds, of a network that was measured."""

    families: Mapping[str, str]
    bytes: Mapping[str, Mapping[Setting | None, int]]
    variances: Variances

    @property
    def names(self) -> list[str]:
        """Return the modules between whose settings there is a choice."""
        return list(self.bytes)

    @property
    def options(self) -> list[list[Option]]:
        """Return the settings of each of ``names`` as they are chosen from."""
        norm = self.variances.squared_norm or 1.0
        return [
            [Option(kept, self.variances.costs[name][s] / norm) for s, kept in settings.items()]
            for name, settings in self.bytes.items()
        ]

    def within(self, memory_budget: int) -> Advice:
        """Return the plan of the least error that keeps at most so many bytes. Raises ValueError
        where there is none."""
        options = self.options
        try:
            return self.advice(choose(options, at_once(options, memory_budget)))
        except NoRoomError as no_room:
            least = smallest(options)
            raise ValueError(_words(options, least, memory_budget, no_room.missing)) from None

    def advice(self, chosen: Sequence[int]) -> Advice:
        """Return the plan that takes these numbers of ``options``."""
        settings = {n: list(self.bytes[n])[i] for n, i in zip(self.names, chosen, strict=True)}
        taken = [some[i] for some, i in zip(self.options, chosen, strict=True)]
        lines = tuple(
            Line(
                name, self.families[name], s, option.bytes, self.bytes[name][None], option.variance
            )
            for (name, s), option in zip(settings.items(), taken, strict=True)
        )
        return Advice(with_settings(base_plan(self.families, REACHED), settings), lines)


def advise(
    model: nn.Module,
    example: Any,
    memory_budget: int | None = None,
    error: float | None = None,
    loss: Callable[[Any], Tensor] | None = None,
    repeats: int = 2,
) -> Advice:
    """Work out what each module of ``model`` should keep, and return it as a plan for ``convert``.

    A copy of the model is measured with ``example``: the bytes that every module keeps, and the
    variance that it adds to the gradient of all weights, for every setting that it may have.

    Args:
        model: a network in torch's own form, in the mode in which it is to be trained.
        example: what it is called with, a tensor or a tuple of arguments: a batch as in training.
        memory_budget: bytes that modules may keep for the backward pass, all together; the plan has
            the least error then. Parameters, gradients, and what exists for a moment come on top:
            ``xconv-bench advise`` takes the peak of a whole training step for its budget.
        error: largest distance of the gradient from the exact one, relative to that; the plan keeps
            the fewest bytes then. One of the two is given.
        loss: makes a scalar of the model's output; without one, a random direction is taken.
        repeats: seeds of the estimator for each setting.

    Raises ValueError where nothing fits into the budget, and says by how much and what would.
    """
    if (memory_budget is None) == (error is None):
        raise ValueError("give one of memory_budget, in bytes, and error; got both or neither")
    inputs = example if isinstance(example, tuple) else (example,)
    costs = measure_costs(model, inputs, loss or _random_direction, repeats)
    if memory_budget is not None:
        return costs.within(memory_budget)
    return costs.advice(choose(costs.options, at_once(costs.options, inf), (error or 0.0) ** 2))


def measure_costs(
    model: nn.Module, inputs: tuple[Any, ...], loss: Callable[[Any], Tensor], repeats: int
) -> Costs:
    """Return what every setting costs, measured with a copy of ``model``."""
    copied = copy.deepcopy(model)
    families = planned_modules(copied)
    kept = measure_bytes(copied, inputs, families)
    measuring = measure_variances(Steps(copied, inputs, loss), families, repeats)
    return Costs(families, kept, _result_of(measuring))


def _result_of(measuring: Generator[float, None, Variances]) -> Variances:
    """Run to the end, whatever part is done in between."""
    while True:
        try:
            next(measuring)
        except StopIteration as end:
            result: Variances = end.value
            return result


def _words(
    options: Sequence[Sequence[Option]], least: Sequence[int], budget: int, missing: float
) -> str:
    kept = total_bytes(options, least)
    return (
        f"no plan fits: the smallest keeps {kept / _MIB:.4g} MiB, {missing / _MIB:.4g} MiB more "
        f"than memory_budget={budget} ({budget / _MIB:.4g} MiB), at a relative error of "
        f"{sqrt(total_variance(options, least)):.3g}; give a budget of {kept}, or a batch of "
        f"{budget / kept:.2g} times the size"
    )


def _random_direction(output: Any) -> Tensor:
    """The sum of all that the model returns, weighted with normal numbers, always the same."""
    tensors = [t for t in tree_iter(output) if isinstance(t, Tensor) and t.requires_grad]
    if not tensors:
        raise ValueError("the model returns nothing that has a gradient")
    generator = torch.Generator().manual_seed(0)
    return torch.stack(
        [(t * torch.randn(t.shape, generator=generator).to(t)).sum() for t in tensors]
    ).sum()
