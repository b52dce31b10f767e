"""Networks that take more than one input are refused where nobody says what the others are."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from xconv_bench.errors import UsageError


class NeedsInputs(UsageError):
    """A network takes more than images, and nobody says where the rest comes from.

    ``need`` names the network and what it takes; ``ending`` is what follows the remedy.
    """

    def __init__(self, need: str, ending: str = "") -> None:
        super().__init__(f"{need}: give --inputs FILE.py:callable{ending}")
        self.need = need


@contextmanager
def images_alone() -> Iterator[None]:
    """Say inside that a command without ``--inputs`` gives a network images alone."""
    try:
        yield
    except NeedsInputs as error:
        raise UsageError(
            f"{error.need}: this command gives a network images alone, so name a function that "
            "returns one which fills in the rest (docs/own_models.md)"
        ) from error


def check_takes_one_input(model: nn.Module, name: str) -> None:
    """Raise NeedsInputs where the forward pass requires several arguments.

    Nothing is raised where that cannot be told: hooks and wrappers may fill arguments in.
    """
    required = _required(model)
    if len(required) > 1:
        *others, last = required
        every = "both" if len(required) == 2 else "all of them"
        raise NeedsInputs(
            f"{name} takes {', '.join(others)} and {last}",
            f", which returns {every} (docs/own_models.md)",
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
