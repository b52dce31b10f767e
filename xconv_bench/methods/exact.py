"""The model as it is: what all other methods are held against."""

from torch import nn

from xconv_bench.configuration import Configuration
from xconv_bench.methods.base import Method


class Exact(Method):
    """Exact convolutions, everything stored."""

    name = "exact"

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """Return the model itself."""
        return model
