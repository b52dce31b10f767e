"""Probed convolutions and one-bit ReLUs, from the package ``xconv``."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from torch import nn

from xconv import account, convert
from xconv.contents import named_modules
from xconv.convert import FAMILIES
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import Method


class XConv(Method):
    """``xconv.convert`` with the scheme, probes and families of the configuration."""

    name = "xconv"
    knobs = ("scheme", "probes", "distribution", "compress")

    def settle(self, knobs: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing on probes where no convolution is swapped, no scheme without probes."""
        settled = dict(knobs)
        if "conv" not in _families(settled["compress"]):
            settled["probes"] = None
        if not settled["probes"]:
            settled["scheme"] = settled["distribution"] = None
        return settled

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """The model, converted in place; Unsupported where there is nothing to swap."""
        compress = _families(configuration.compress)
        # Where there is no scheme, nothing is probed, and any will do.
        scheme = configuration.scheme or "independent"
        distribution = configuration.distribution or "rademacher"
        probes = configuration.probes or 0
        convert(model, probes, scheme, compress, distribution=distribution)
        if not account(model).swapped:
            raise Unsupported(
                f"{configuration.model} has no module that xconv can swap; "
                f"it compresses {' and '.join(compress)} modules"
            )
        return model

    def remark(self, model: nn.Module, configuration: Configuration) -> str:
        """Which of the modules that were to be compressed are not, and why."""
        return "; ".join(
            words
            for family in _families(configuration.compress)
            if (words := _left_exact(model, family))
        )


def _left_exact(model: nn.Module, family: str) -> str:
    """``4 of 20 conv modules are exact: 4 × reason``; nothing where all are compressed."""
    kinds = tuple(FAMILIES[family])
    modules = dict(named_modules(model))
    entries = [entry for entry in account(model) if isinstance(modules[entry.name], kinds)]
    if not entries:
        return f"there are no {family} modules (calls of functions are not seen)"
    reasons = Counter(entry.reason for entry in entries if not entry.swapped)
    if not reasons:
        return ""
    words = ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
    return f"{reasons.total()} of {len(entries)} {family} modules are exact: {words}"


def _families(compress: str | None) -> list[str]:
    return compress.split(",") if compress else []
