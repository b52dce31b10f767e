"""Networks that take more than one input are refused where nobody says what the others are."""

from __future__ import annotations

import inspect

from torch import nn

from xconv_bench.errors import UsageError


def check_takes_one_input(model: nn.Module, name: str) -> None:
    """Raise UsageError where the forward pass requires several arguments.

    Nothing is raised where that cannot be told: hooks and wrappers may fill arguments in.
    """
    required = _required(model)
    if len(required) > 1:
        *others, last = required
        raise UsageError(
            f"{name} takes {', '.join(others)} and {last}: give --inputs FILE.py:callable, which "
            f"returns {'both' if len(required) == 2 else 'all of them'} (docs/own_models.md)"
        )


def _required(model: nn.Module) -> list[str]:
    if type(model).__call__ is not nn.Module.__call__ or model._forward_pre_hooks:
        return []
    try:
        # A wrapper has its own signature: it may call what it wraps with more than it is given.
        parameters = inspect.signature(model.forward, follow_wrapped=False).parameters
    except (TypeError, ValueError):  # forward passes of TorchScript do not tell
        return []
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        each.name
        for each in parameters.values()
        if each.default is each.empty and each.kind not in several
    ]
