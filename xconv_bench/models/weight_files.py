"""Weights in files that ``torch.save`` wrote: read without running code, and put into a network."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from xconv_bench.errors import UsageError
from xconv_bench.models.messages import reason
from xconv_bench.models.preparing import tensors_of_state

Weights = dict[str, Tensor]
"""A ``state_dict``: parameters and buffers by name."""

_NESTED = ("state_dict", "model")
_DISTRIBUTED = "module."
_EXPECTED = (
    "expected what torch.save(network.state_dict(), FILE) writes, or a checkpoint that holds such "
    f"a dictionary under {' or '.join(map(repr, _NESTED))}"
)


def read_weights(path: Path, expected: str = _EXPECTED) -> Weights:
    """Read the ``state_dict`` in a file, on the CPU, also out of a checkpoint.

    Raises UsageError, one line that ends with what was ``expected``, for a file that is missing,
    damaged or something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}; {expected}") from error
    except Exception as error:  # Errors are of many kinds, from pickle, zip and torch.
        raise UsageError(f"{path} is damaged or holds no weights: {expected}") from error
    weights = _find(content)
    if weights is None:
        raise UsageError(f"{path} holds no weights: {expected}")
    return weights


def put_weights(model: nn.Module, weights: Weights, origin: str, remedy: str) -> None:
    """Overwrite all of a network's weights; ``weights`` is used up.

    The prefix that ``DistributedDataParallel`` gives to every name may be there or not. Raises
    UsageError, from ``origin`` to ``remedy``, where names or shapes are not those of the network.
    """
    own = tensors_of_state(model)
    if not any(name.startswith(_DISTRIBUTED) for name in own):
        consume_prefix_in_state_dict_if_present(weights, _DISTRIBUTED)
    problems = {
        name: f"is {tuple(tensor.shape)}, expected {tuple(own[name].shape)}"
        for name, tensor in weights.items()
        if name in own and tensor.shape != own[name].shape
    }
    for name in problems:
        del weights[name]
    try:
        # Not strict, so that all is told; what old versions of torch did not save is filled in.
        missing, unexpected = nn.Module.load_state_dict(model, weights, strict=False)
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"{origin} does not fit the network: {reason(error)}; {remedy}") from error
    for name in filter(own.__contains__, missing):
        problems.setdefault(name, f"is missing, expected {tuple(own[name].shape)}")
    problems |= {name: "is no weight of this network" for name in unexpected}
    if problems:
        raise UsageError(f"{origin} does not fit the network: {_first(problems)}; {remedy}")


def _find(content: Any) -> Weights | None:
    if not isinstance(content, dict):
        return None
    for candidate in (*map(content.get, _NESTED), content):
        if isinstance(candidate, dict) and candidate and _are_tensors(candidate):
            return candidate
    return None


def _are_tensors(candidate: dict[Any, Any]) -> bool:
    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in candidate.items())


def _first(problems: dict[str, str]) -> str:
    name, problem = next(iter(problems.items()))
    others = len(problems) - 1
    return f"{name} {problem}" + (f" (and {others} more)" if others else "")
