"""``advise``, which measures a network once and works out what each module should keep."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter

from xconv.plan import Plan, Setting
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
from xconv.saved.function_table import REACHED

_MIB = 2**20


@dataclass(frozen=True)
class PlanLine:
    """The setting of one module in a plan, and what it costs.

    ``setting`` is None for an exact module. ``bytes`` is what the module keeps for the backward
    pass, ``exact_bytes`` what it would keep as an exact module. ``variance`` is what it adds to the
    variance of the gradient of all weights, in units of that gradient's squared norm.
    """

    name: str
    family: str
    setting: Setting | None
    bytes: int
    exact_bytes: int
    variance: float


@dataclass(frozen=True)
class Advice:
    """A plan and its expected cost, as ``advise`` returns it; printing it shows a table.

    Attributes:
        plan: the plan, for ``xconv.convert(model, plan=...)``.
        lines: a ``PlanLine`` for each module that could be planned, in the order of the model.
        error: expected relative error of the gradient of all weights, root mean square.
        saved_bytes: bytes that the modules of ``lines`` keep for the backward pass.
        exact_bytes: bytes that they would keep as exact modules.

    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    >>> advice = advise(model, torch.randn(4, 3, 32, 32), error=0.5)
    >>> advice.saved_bytes < advice.exact_bytes and advice.error <= 0.5
    True
    """

    plan: Plan
    lines: tuple[PlanLine, ...]

    @property
    def error(self) -> float:
        """Return the expected relative error, root mean square."""
        return sqrt(sum(line.variance for line in self.lines))

    @property
    def saved_bytes(self) -> int:
        """Return the bytes that all modules keep together."""
        return sum(line.bytes for line in self.lines)

    @property
    def exact_bytes(self) -> int:
        """Return the bytes that all modules would keep together as exact modules."""
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
    """The measured costs of every setting of every module of a network."""

    families: Mapping[str, str]
    bytes: Mapping[str, Mapping[Setting | None, int]]
    variances: Variances

    @property
    def names(self) -> list[str]:
        """Return the names of the modules that have a choice of settings."""
        return list(self.bytes)

    @property
    def options(self) -> list[list[Option]]:
        """Return the settings to choose from, for each module of ``names``."""
        norm = self.variances.squared_norm or 1.0
        return [
            [Option(kept, self.variances.costs[name][s] / norm) for s, kept in settings.items()]
            for name, settings in self.bytes.items()
        ]

    def within(self, memory_budget: float, batch_size: int = 0) -> Advice:
        """Return the plan of least error that keeps at most ``memory_budget`` bytes.

        Raises ValueError where no plan fits, with what would: a larger budget, or a smaller batch
        than the ``batch_size`` that was measured.
        """
        options = self.options
        try:
            return self.advice(choose(options, at_once(options, memory_budget)))
        except NoRoomError:
            words = _words(options, smallest(options), memory_budget, batch_size)
            raise ValueError(words) from None

    def advice(self, chosen: Sequence[int]) -> Advice:
        """Return the plan that takes option ``chosen[i]`` for module i of ``names``."""
        settings = {n: list(self.bytes[n])[i] for n, i in zip(self.names, chosen, strict=True)}
        taken = [some[i] for some, i in zip(self.options, chosen, strict=True)]
        lines = tuple(
            PlanLine(
                name, self.families[name], s, option.bytes, self.bytes[name][None], option.variance
            )
            for (name, s), option in zip(settings.items(), taken, strict=True)
        )
        return Advice(with_settings(base_plan(self.families, REACHED), settings), lines)


def advise(
    model: nn.Module,
    example: Any,
    memory_budget: float | None = None,
    error: float | None = None,
    loss: Callable[[Any], Tensor] | None = None,
    repeats: int = 2,
) -> Advice:
    """Measure ``model`` and return a plan of what each module should keep.

    A copy of the model is measured with ``example``: the bytes that every module keeps, and the
    variance that it adds to the gradient of all weights, for every setting that it may have. Errors
    of different modules are taken as independent, so that their variances add up; the plan
    minimises the sum within the budget, or the bytes within the error.

    Args:
        model: a network of torch's own modules, not converted, in the mode in which it will train.
        example: a batch as in training: the tensor, or a tuple of the arguments, that the model is
            called with. ``spectral`` learns how to divide its bits from the same batch, which makes
            its expected error some percent smaller than in training, where it learns from others.
        memory_budget: bytes that all modules together may keep for the backward pass; the plan then
            has the least error. Parameters, gradients and temporary tensors come on top:
            ``xconv-bench advise`` takes the peak of a whole training step as its budget instead.
        error: largest distance of the gradient from the exact one, relative to the exact one's
            norm; the plan then keeps the fewest bytes. Give either this or ``memory_budget``.
        loss: a function from the model's output to a scalar; by default a random weighting of the
            output, always the same one.
        repeats: number of estimator seeds per setting.

    Returns:
        The plan with its expected error, and bytes module by module.

    Raises:
        ValueError: if no plan fits, with the number of missing bytes and what would fit; if both or
            neither of ``memory_budget`` and ``error`` are given; if they or ``repeats`` are out of
            range; and if the output has no gradient.
        TypeError: if they are not numbers.

    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    >>> advice = advise(model, torch.randn(4, 3, 32, 32), memory_budget=100_000)
    >>> advice.saved_bytes <= 100_000
    True
    >>> model = convert(model, plan=advice.plan)
    """
    if (memory_budget is None) == (error is None):
        raise ValueError("give either memory_budget, in bytes, or error; got both or neither")
    _check("memory_budget", memory_budget, 1, "a number of bytes, such as 8 * 2**30")
    _check("error", error, 0, "a relative error, such as 0.1")
    _check("repeats", repeats, 1, "a number of seeds")
    inputs = example if isinstance(example, tuple) else (example,)
    costs = measure_costs(model, inputs, loss or _random_direction, repeats)
    if memory_budget is not None:
        return costs.within(memory_budget, _batch_size(inputs))
    return costs.advice(choose(costs.options, at_once(costs.options, inf), (error or 0.0) ** 2))


def measure_costs(
    model: nn.Module, inputs: tuple[Any, ...], loss: Callable[[Any], Tensor], repeats: int
) -> Costs:
    """Return the cost of every setting, measured with a copy of ``model``."""
    copied = copy.deepcopy(model)
    families = planned_modules(copied)
    kept = measure_bytes(copied, inputs, families)
    measuring = measure_variances(Steps(copied, inputs, loss), families, repeats)
    return Costs(families, kept, _result_of(measuring))


def _result_of(measuring: Generator[float, None, Variances]) -> Variances:
    """Run ``measuring`` to its end, ignoring the progress that it yields, and return its result."""
    while True:
        try:
            next(measuring)
        except StopIteration as end:
            result: Variances = end.value
            return result


def _check(name: str, value: Any, least: int, expected: str) -> None:
    """Raise TypeError or ValueError unless ``value`` is a number that is not below ``least``."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {expected}; got {value!r}")
    if not least <= float(value) < inf:
        raise ValueError(f"{name} must be {expected}, at least {least}; got {value!r}")


def _batch_size(inputs: tuple[Any, ...]) -> int:
    """Return the length of the first tensor; 0 where there is none."""
    tensors = (each for each in tree_iter(inputs) if isinstance(each, Tensor) and each.dim())
    return next((len(tensor) for tensor in tensors), 0)


def _words(
    options: Sequence[Sequence[Option]], least: Sequence[int], budget: float, batch_size: int
) -> str:
    kept = total_bytes(options, least)
    samples = int(batch_size * budget) // kept
    smaller = f", or a batch of about {samples} instead of {batch_size}" if samples else ""
    return (
        f"no plan fits into memory_budget={budget}: the smallest keeps {kept} bytes "
        f"({kept / _MIB:.3g} MiB), at a relative error of "
        f"{sqrt(total_variance(options, least)):.3g}; give memory_budget={kept} or more{smaller}"
    )


def _random_direction(output: Any) -> Tensor:
    """Return the sum of all outputs, weighted with the same normal numbers each time."""
    tensors = [t for t in tree_iter(output) if isinstance(t, Tensor) and t.requires_grad]
    if not tensors:
        raise ValueError("no output of the model requires a gradient; give a loss that does")
    generator = torch.Generator().manual_seed(0)
    return torch.stack(
        [(t * torch.randn(t.shape, generator=generator).to(t)).sum() for t in tensors]
    ).sum()
