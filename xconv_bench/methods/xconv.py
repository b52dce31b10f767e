"""Probed convolutions and one-bit ReLUs, from the package ``xconv``."""

from torch import nn

from xconv import account, convert
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import Method


class XConv(Method):
    """``xconv.convert`` with the scheme, probes and families of the configuration."""

    name = "xconv"
    knobs = ("scheme", "probes", "compress")

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """The model, converted in place; Unsupported where there is nothing to swap."""
        compress = (configuration.compress or "").split(",")
        convert(model, configuration.probes or 0, configuration.scheme or "", compress)
        if not account(model).swapped:
            raise Unsupported(
                f"{configuration.model} has no module that xconv can swap; "
                f"it compresses {' and '.join(compress)} modules"
            )
        return model
