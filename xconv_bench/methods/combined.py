"""Several methods on one network: ``A+B`` applies A first, then B to what A has made.

Methods that change layers (``xconv``, ``quantized`` and the others of ``CHANGING_LAYERS``) come
first, those that decide what becomes of a whole block (``checkpoint``, ``invertible``, ``offload``)
behind them. A converted network in checkpoints keeps what enters a block as it is, since a block is
not linear in it; what is computed again for its backward pass is compressed, and lives for one
block at a time.
Running statistics move once, and a block draws the same random numbers both times.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from torch import nn

from xconv_bench.configuration import JOINT, Configuration
from xconv_bench.methods.base import Method


class Combined(Method):
    """Methods one after the other; its knobs are theirs together."""

    def __init__(self, methods: Sequence[Method]) -> None:
        self._methods = methods
        self.name = JOINT.join(method.name for method in methods)
        self.knobs = tuple(dict.fromkeys(knob for method in methods for knob in method.knobs))
        self.is_simulated = all(method.is_simulated for method in methods)

    def settle(self, knobs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what each of the methods makes of its own knobs."""
        return {
            name: value
            for method in self._methods
            for name, value in method.settle(_own(method, knobs)).items()
        }

    def takes(self, knobs: Mapping[str, Any]) -> bool:
        """Return whether each of the methods takes its own knobs."""
        return all(method.takes(_own(method, knobs)) for method in self._methods)

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """Return the model, given each form in turn; Unsupported where one cannot be had."""
        for method in self._methods:
            model = method.apply(model, configuration)
        return model

    def remark(self, model: nn.Module, configuration: Configuration) -> str:
        """Return what each of the methods says."""
        said = (method.remark(model, configuration) for method in self._methods)
        return "; ".join(filter(None, said))


def why_not(methods: Sequence[Method]) -> str:
    """Return why these cannot be applied in this order; empty where they can."""
    for first, second in combinations(methods, 2):
        if first.name in second.follows:
            continue
        if second.name in first.follows:
            return (
                f"{second.name} has to come before {first.name}: write "
                f"{second.name}{JOINT}{first.name}"
            )
        return f"{first.name} and {second.name} do not compose: measure them apart"
    return ""


def _own(method: Method, knobs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in knobs.items() if name in method.knobs}
