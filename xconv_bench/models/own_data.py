"""Inputs and losses of the user's own, as part of a network's name.

``MODEL?inputs=FILE.py:callable@DIGEST&loss=FILE.py:callable@DIGEST``: rows of one input or loss are
never taken for those of another, nor for those of a file that was changed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.models import own
from xconv_bench.models.base import Architecture
from xconv_bench.models.messages import did_you_mean, reason
from xconv_bench.naming import join_model, split_model
from xconv_bench.objectives.automatic import AutomaticObjective
from xconv_bench.objectives.own import OwnLoss

HERE = "__main__"
"""The module of functions that a notebook or a script defines: no other process has them."""
_DIGEST_BYTES = 4
_EXPECTED = "expected a tensor, or a tuple or dict with tensors in it"


def named(model: str, **given: str | None) -> str:
    """Return the name of a model with these ``inputs`` and ``loss``; None is the model's own.

    Raises UsageError for a callable that does not exist.
    """
    there = {option: name for option, name in given.items() if name is not None}
    return join_model(
        model, {option: (name, _find(option, name)[1]) for option, name in there.items()}
    )


def name_of(option: str, function: Callable[..., Any]) -> str:
    """Return the name of a function of Python, as ``named`` takes it.

    Raises UsageError for one that its module does not have under its name.
    """
    module, name = (getattr(function, each, "") for each in ("__module__", "__qualname__"))
    if vars(sys.modules.get(module, object)).get(name) is not function:
        raise UsageError(
            f"{option}=: {name or type(function).__name__} is no function that a module has by "
            "its name: define it with def, outside of other functions and classes"
        )
    return f"{module}:{name}"


def is_here(name: str) -> bool:
    """Return whether a callable, or one in the name of a model, exists in this process alone."""
    model, given = split_model(name)
    callables = (model, *(each for each, _ in given.values()))
    return any(each.startswith(f"{HERE}:") for each in callables)


def apply(
    architecture: Architecture, name: str, given: Mapping[str, tuple[str, str]]
) -> Architecture:
    """Return a network with inputs and loss of the user's own.

    Its inputs without a loss have ``AutomaticObjective``: nobody knows what their targets are.
    Raises UsageError where a callable does not exist or its file is not what it was.
    """
    architecture = replace(architecture, name=name)
    if "inputs" in given:
        make = _unchanged("inputs", *given["inputs"])
        inputs = partial(_inputs, make, given["inputs"][0])
        architecture = replace(architecture, inputs=inputs, objective=AutomaticObjective())
    if "loss" in given:
        function = _unchanged("loss", *given["loss"])
        objective = OwnLoss(function=function, name=given["loss"][0])
        architecture = replace(architecture, objective=objective)
    return architecture


def _unchanged(option: str, name: str, digest: str) -> Callable[..., Any]:
    function, found = _find(option, name)
    if found != digest:
        raise UsageError(f"--{option} {name} was changed meanwhile: run the command again")
    return function


def _find(option: str, name: str) -> tuple[Callable[..., Any], str]:
    """Return the callable and the digest of its file."""
    if ":" not in name and not name.endswith(own.SUFFIX):
        raise UsageError(f"--{option} {name}: give path/to/file.py:callable")
    try:
        module, source, attribute = own.load(name)
    except UsageError as error:
        raise UsageError(f"--{option}: {error}") from error
    function = getattr(module, attribute, None)
    if not callable(function):
        near = did_you_mean(attribute, vars(module)) or own.offers(module)
        raise UsageError(f"--{option}: {source} has no callable named '{attribute}'{near}")
    file = None if source == HERE else module.__file__  # a notebook has none that could be read
    content = Path(file).read_bytes() if file else b""
    return function, hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()


def _inputs(make: Callable[..., Any], name: str, batch_size: int, image_size: int) -> Any:
    """Return what the callable makes. Raises BenchError, one line, where it is no batch."""
    call = f"--inputs {name}({batch_size}, {image_size})"
    # Memory that runs out is told apart by who measures.
    try:
        inputs = make(batch_size, image_size)
    except MemoryError:
        raise
    except Exception as error:
        if "memory" in str(error):
            raise
        raise BenchError(
            f"{call} failed: {reason(error)}; make it of torch's functions alone where it is "
            "simulated"
        ) from error
    if not any(isinstance(leaf, Tensor) for leaf in tree_leaves(inputs)):
        raise BenchError(f"{call} returned a {type(inputs).__name__} without tensors: {_EXPECTED}")
    if not isinstance(inputs, Tensor | tuple | dict):
        raise BenchError(f"{call} returned a {type(inputs).__name__}: {_EXPECTED}")
    rows = _rows(inputs)
    if rows != batch_size:
        raise BenchError(
            f"{call} returned {'no' if rows is None else rows} samples, expected {batch_size}: "
            "its first part has one row, or one entry of a list, for each sample"
        )
    return inputs


def _rows(inputs: Any) -> int | None:
    """Return the samples in the first part: the rows of a tensor, or the entries of a list."""
    first = inputs
    if isinstance(inputs, dict):
        first = next(iter(inputs.values()))
    elif isinstance(inputs, tuple):
        first = inputs[0]
    if isinstance(first, Tensor):
        return len(first) if first.dim() else None
    return len(first) if isinstance(first, list | tuple) else None
