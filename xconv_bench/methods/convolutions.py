"""Convolutions that run in another way, module by module, with a reason for each that does not.

``compress`` names the families, as for ``xconv``: those other than convolutions are swapped by
``xconv.convert``, since a ReLU that keeps its output keeps the next convolution's input.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from xconv import convert
from xconv.contents import modules
from xconv.conversion import FAMILIES, why_not
from xconv.layout import Layout
from xconv.state import DEFAULT_NORM_BITS
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import Method
from xconv_bench.methods.calls import wrap_call
from xconv_bench.methods.smaller import KeptSmaller, Store
from xconv_bench.methods.xconv import exact_words, families_of, left_exact, none_words
from xconv_bench.naming import model_words

Run = Callable[..., Tensor]

FAMILY_KNOBS = ("compress", "norm_bits")

IS_BATCH = "its input needs no gradient (the batch, which is held anyway): exact gradient"
FROZEN = "its weight needs no gradient"


@dataclass
class _LastCall:
    """The last call of a convolution: why it was exact, or an empty text."""

    reason: str = ""


_RECORDS: WeakKeyDictionary[nn.Module, _LastCall] = WeakKeyDictionary()


class Convolutions(Method):
    """Base of the methods that change convolutions of ``torch.nn``."""

    dials: Mapping[str, Any]
    """Knobs of the convolutions, with their defaults."""
    bias: str = ""
    """A warning for readers of the row; empty for an unbiased method."""

    def settle(self, knobs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the knobs with the defaults of the dials, and None for what changes nothing."""
        families = families_of(knobs["compress"])
        settled = dict(knobs)
        for dial, default in self.dials.items():
            settled[dial] = (settled[dial] or default) if "conv" in families else None
        if "norm" not in families:
            settled["norm_bits"] = None
        return settled

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """Return the model, changed in place; Unsupported where there is nothing to change."""
        families = families_of(configuration.compress)
        others = [family for family in families if family not in ("conv", "linear")]
        found = _convolutions(model) if "conv" in families else []
        if others:
            norm_bits = configuration.norm_bits or DEFAULT_NORM_BITS
            convert(model, probes=0, compress=others, norm_bits=norm_bits)
        elif not found:
            raise Unsupported(
                f"{model_words(configuration.model)} has no module that {self.name} can change; "
                f"it compresses {' and '.join(families)} modules"
            )
        for module in found:
            record = _RECORDS[module] = _LastCall(why_not(module) or self.why_not(module))
            if not record.reason:
                wrap_call(module, partial(_where_possible, self, module, record, configuration))
        return model

    def remark(self, model: nn.Module, configuration: Configuration) -> str:
        """Return which of the modules that were to be compressed are not, and why."""
        families = families_of(configuration.compress)
        said = [self.bias, _convolutions_left(model)] if "conv" in families else []
        if "linear" in families:
            said.append(f"linear modules are exact: {self.name} is for convolutions")
        reached = "functions" in families
        others = [family for family in families if family not in ("conv", "linear", "functions")]
        said += [left_exact(model, family, reached) for family in others]
        return "; ".join(filter(None, said))

    def why_not(self, module: Any) -> str:
        """Return why a convolution of ``torch.nn`` is left exact whatever its input is."""
        return "" if module.padding_mode == "zeros" else f"padding mode {module.padding_mode}"

    @abstractmethod
    def why_exact(self, module: Any, input: Tensor, configuration: Configuration) -> str:
        """Return why a call with ``input`` is left exact, or an empty text."""

    @abstractmethod
    def run(self, module: Any, exact: Run, input: Tensor, configuration: Configuration) -> Tensor:
        """Return the output of ``module``, computed this method's way; ``exact`` is torch's."""


class KeepingInputs(Convolutions):
    """Base of the methods that keep the inputs of convolutions in another form."""

    @abstractmethod
    def store(self, configuration: Configuration) -> Store:
        """Return the form in which inputs are kept."""

    def why_exact(self, module: Any, input: Tensor, configuration: Configuration) -> str:
        """Return the reason of the store, for the input with a dimension for the batch."""
        batch = input if input.dim() == module.weight.dim() else input.unsqueeze(0)
        return self.store(configuration).why_exact(Layout.of(batch))

    def run(self, module: Any, exact: Run, input: Tensor, configuration: Configuration) -> Tensor:
        """Return torch's own output; the input that it saves is kept by the store."""
        place, weight = input.untyped_storage()._cdata, module.weight.shape

        def is_input(tensor: Tensor) -> bool:
            # Under autocast it is a copy, and so is the weight.
            return tensor.untyped_storage()._cdata == place or tensor.shape != weight

        with KeptSmaller(self.store(configuration), is_input):
            return exact(input)


def _where_possible(
    method: Convolutions, module: nn.Module, record: _LastCall, settings: Configuration, exact: Run
) -> Run:
    """Return ``exact`` with the method's way in its place wherever there is no reason against."""

    def forward(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        called = partial(_called, exact, args, kwargs)
        if not torch.is_grad_enabled():
            return called(input)
        record.reason = _why_exact(method, module, input, settings)
        if record.reason:
            return called(input)
        return method.run(module, called, input, settings)

    return forward


def _called(run: Run, args: tuple[Any, ...], kwargs: dict[str, Any], input: Tensor) -> Tensor:
    """Call ``run`` with an input and further arguments, such as the size of an output."""
    return run(input, *args, **kwargs)


def _why_exact(method: Convolutions, module: Any, input: Tensor, settings: Configuration) -> str:
    if not module.weight.requires_grad:
        return FROZEN
    return method.why_exact(module, input, settings) if input.requires_grad else IS_BATCH


def _convolutions(model: nn.Module) -> list[nn.Module]:
    kinds = tuple(FAMILIES["conv"])
    return [module for module in modules(model) if isinstance(module, kinds)]


def _convolutions_left(model: nn.Module) -> str:
    """Return ``2 of 20 convolutions are exact: reason``, nothing where none is."""
    found = _convolutions(model)
    records = [_RECORDS.get(module, _LastCall()) for module in found]
    reasons = Counter(record.reason for record in records if record.reason)
    return exact_words(reasons, len(found), "conv") if found else none_words("conv")
