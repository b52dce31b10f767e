"""Methods: each turns a model into its own form of the same model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import nn

from xconv_bench.configuration import Configuration

CHANGING_LAYERS = (
    "xconv", "quantized", "rad-sampling", "dual-precision", "low-rank", "gradient-filter",
)  # fmt: skip
"""Names of the methods that change layers one by one, and may come before one of whole blocks."""


class Method(ABC):
    """A way to train a network."""

    name: str
    knobs: tuple[str, ...] = ()
    """Fields of ``Configuration`` that this method reads; the others are left out of a sweep."""

    follows: tuple[str, ...] = ()
    """Names of the methods that may have been applied to a network before this one."""

    is_simulated: bool = True
    """Whether a training step can be counted without computing it."""

    def settle(self, knobs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the knobs, with None for each that changes nothing beside the others.

        Settings that mean the same are then equal, and measured once.
        """
        return dict(knobs)

    def takes(self, knobs: Mapping[str, Any]) -> bool:
        """Return whether the knobs can have these values together."""
        return True

    @abstractmethod
    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """Return the model trained this way, with the same weights; may change ``model`` in place.

        Its random numbers must come from a generator of its own, seeded by
        ``xconv.random.draw_seed``: other draws are taken for the network's own, such as dropout's,
        which are the same for all methods and all of their repeats.

        Raises Unsupported, with the reason, where the method cannot be applied.
        """

    def remark(self, model: nn.Module, configuration: Configuration) -> str:
        """Return a remark on ``model`` after a step for readers of the row; often empty."""
        return ""
