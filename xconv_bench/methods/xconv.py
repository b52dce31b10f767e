"""Probed convolutions and one-bit ReLUs, from the package ``xconv``."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from xconv import account, convert
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import Method


class XConv(Method):
    """``xconv.convert`` with the scheme, probes and families of the configuration."""

    name = "xconv"
    knobs = ("scheme", "probes", "compress")

    def settle(self, knobs: Mapping[str, Any]) -> dict[str, Any]:
        """No scheme and no probes where no convolution is swapped, no scheme without probes."""
        settled = dict(knobs)
        if "conv" not in _families(settled["compress"]):
            settled["probes"] = None
        if not settled["probes"]:
            settled["scheme"] = None
        return settled

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """The model, converted in place; Unsupported where there is nothing to swap."""
        compress = _families(configuration.compress)
        # Where there is no scheme, nothing is probed, and any will do.
        scheme = configuration.scheme or "independent"
        convert(model, configuration.probes or 0, scheme, compress)
        if not account(model).swapped:
            raise Unsupported(
                f"{configuration.model} has no module that xconv can swap; "
                f"it compresses {' and '.join(compress)} modules"
            )
        return model


def _families(compress: str | None) -> list[str]:
    return compress.split(",") if compress else []
