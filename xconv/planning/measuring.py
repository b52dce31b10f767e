"""Measurement of what a setting costs: bytes kept, and variance added to gradients.

A convolution or linear layer adds variance only to the gradient of its own weight, so one step in
which all of them are swapped measures each. A normalisation or activation adds variance to the
gradients of all weights before it, so each is swapped alone, at one setting. Its variance at
another setting is taken to differ by the same factor as that of its whole family together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter

from xconv.budget import STEPS_TO_LEARN, plans_kept
from xconv.contents import buffers, named_modules, parameters
from xconv.conversion import convert, revert
from xconv.kept import KeptMeter
from xconv.plan import Plan, Setting
from xconv.planning.candidates import CANDIDATES, SPREADING, base_plan, with_settings
from xconv.random import seeds_from

_MEASURED_ALONE = {"norm": Setting(norm_bits=2), "act": Setting(act_bits=4)}

SettingCosts = dict[str, dict[Setting | None, float]]
"""The cost of each setting of each module by name; None stands for the exact module."""


@dataclass
class Steps:
    """Steps of ``model`` with the same ``inputs`` and the same random numbers each time.

    ``loss`` turns the model's output into a scalar. Only gradients of weights are measured:
    parameters of two dimensions or more.
    """

    model: nn.Module
    inputs: tuple[Any, ...]
    loss: Callable[[Any], Tensor]
    seed: int = 0
    _seeds: torch.Generator = field(default_factory=torch.Generator)

    def __post_init__(self) -> None:
        self._seeds.manual_seed(self.seed)

    def gradients(self) -> dict[int, Tensor]:
        """Return the gradients of one step, by the ``id`` of their parameters."""
        weights = [p for p in parameters(self.model) if p.requires_grad and p.dim() > 1]
        with torch.random.fork_rng(_gpus(self.inputs)), seeds_from(self._seeds):
            torch.manual_seed(self.seed)
            loss = self.loss(self.model(*self.inputs))
            found = torch.autograd.grad(loss, weights, allow_unused=True)
        pairs = zip(weights, found, strict=True)
        return {id(weight): gradient for weight, gradient in pairs if gradient is not None}


def _gpus(inputs: Any) -> list[int]:
    tensors = (t for t in tree_iter(inputs) if isinstance(t, Tensor) and t.is_cuda)
    return sorted({t.device.index for t in tensors})


@dataclass
class Variances:
    """The squared norm of the exact gradient of all weights, and the variance of estimates."""

    squared_norm: float
    costs: SettingCosts


def measure_variances(
    steps: Steps, families: Mapping[str, str], repeats: int, earlier: Steps | None = None
) -> Generator[float, None, Variances]:
    """Yield the completed fraction, and return what every setting adds to the variance.

    The result is a mean over ``repeats`` seeds for each module of ``families``. Schemes that learn
    do so from ``earlier``, steps of the same model with another batch; by default from ``steps``,
    which makes their errors smaller than in training. The model is reverted at the end.
    """
    earlier = earlier or steps
    base = base_plan(families)
    named = dict(named_modules(steps.model))
    convert(steps.model, plan=base)
    exact = steps.gradients()
    costs: SettingCosts = {
        name: {None: 0.0} for name, family in families.items() if family in CANDIDATES
    }
    alone = [n for n, family in families.items() if family in SPREADING]
    done, total = 0, len(alone) + sum(map(len, CANDIDATES.values()))
    for family, candidates in CANDIDATES.items():
        of_family = [name for name, each in families.items() if each == family]
        together: dict[Setting, float] = {}
        for setting in candidates if of_family else ():
            plan = with_settings(base, dict.fromkeys(of_family, setting))
            squares = _errors(steps, plan, exact, repeats, earlier)
            together[setting] = _mean(sum(each.values()) for each in squares)
            for name in of_family:
                weight = id(getattr(named[name], "weight", None))
                costs[name][setting] = _mean(each.get(weight, 0.0) for each in squares)
            done += 1
            yield done / total
        for name in of_family if family in SPREADING else ():
            reference = _MEASURED_ALONE[family]
            plan = with_settings(base, {name: reference})
            squares = _errors(steps, plan, exact, repeats, earlier)
            variance = _mean(sum(each.values()) for each in squares)
            for setting in candidates:
                factor = together[setting] / together[reference] if variance else 0.0
                costs[name][setting] = variance * factor
            done += 1
            yield done / total
    revert(steps.model)
    return Variances(sum(_squared(g) for g in exact.values()), costs)


def measure_error(steps: Steps, plan: Plan, repeats: int, earlier: Steps) -> float:
    """Return the relative error of the gradient of all weights, root mean square over ``repeats``.

    Schemes that learn do so from ``earlier``, steps of the same model with another batch. The model
    is reverted at the end.
    """
    revert(steps.model)
    exact = steps.gradients()
    norm = sum(_squared(g) for g in exact.values())
    error = _mean(sum(each.values()) for each in _errors(steps, plan, exact, repeats, earlier))
    revert(steps.model)
    return sqrt(error / norm) if norm else 0.0


def _errors(
    steps: Steps, plan: Plan, exact: Mapping[int, Tensor], repeats: int, earlier: Steps
) -> list[dict[int, float]]:
    """Return the squared error of each weight's gradient, seed by seed."""
    convert(steps.model, plan=plan)
    if any(setting.scheme == "spectral" for setting in plan.layers.values()):
        for _ in range(STEPS_TO_LEARN):
            earlier.gradients()
    errors = []
    for _ in range(repeats):
        with plans_kept():  # a measured gradient must not be learnt from
            found = steps.gradients()
        errors.append({key: _squared(found[key] - gradient) for key, gradient in exact.items()})
    return errors


def _squared(tensor: Tensor) -> float:
    return float(tensor.double().square().sum())


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def measure_bytes(
    model: nn.Module, inputs: tuple[Any, ...], families: Mapping[str, str]
) -> dict[str, dict[Setting | None, int]]:
    """Return the bytes that each module of ``families`` keeps, setting by setting.

    Bytes that two modules share count for both; ``inputs`` and parameters count for none. Only
    shapes matter. The model is reverted at the end.
    """
    base = base_plan(families)
    found: dict[str, dict[Setting | None, int]] = {n: {} for n in families}
    owners = {name: [module] for name, module in named_modules(model) if name in families}
    given = (each for each in tree_iter(inputs) if isinstance(each, Tensor))
    anyway = [*parameters(model), *buffers(model), *given]
    for number in range(-1, max(map(len, CANDIDATES.values()))):
        settings = {
            name: _candidate(family, number)
            for name, family in families.items()
            if family in CANDIDATES
        }
        convert(model, plan=with_settings(base, settings))
        with torch.random.fork_rng(_gpus(inputs)), KeptMeter(anyway, owners) as kept:
            output = model(*inputs)
        for name, setting in settings.items():
            found[name][setting] = kept.bytes_of(name)
        del output
    revert(model)
    return {name: costs for name, costs in found.items() if costs}


def _candidate(family: str, number: int) -> Setting | None:
    """Return candidate ``number`` of a family, or its last one; -1 means the exact module."""
    candidates = CANDIDATES[family]
    return None if number < 0 else candidates[min(number, len(candidates) - 1)]
