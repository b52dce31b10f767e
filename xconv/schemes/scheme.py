"""The protocol of a scheme: keep an input in fewer bytes, and estimate the weight gradient from it.

The weight gradient ``dW = Σ_b x_b ⋆ δ_b`` is linear in the input x, so any random x̂ with mean x
gives an unbiased estimate. A scheme keeps such a stand-in x̂; it may have a shorter way to the
gradient than forming x̂.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout

if TYPE_CHECKING:
    from xconv.spectrum.plan import BlockPlan, Contribution


NO_SMALLER = "the sketch would be no smaller than the input: exact gradient"
"""Reason why a call keeps its input: a sketch would save nothing."""


class Dials(Hashable, Protocol):
    """The settings that schemes read: how much is kept, and how probes are drawn."""

    @property
    def probes(self) -> int | None:
        """Return the number of probes, for schemes that probe."""

    @property
    def bits(self) -> float | None:
        """Return the bits per element, for schemes that round."""

    @property
    def keep(self) -> float | None:
        """Return the share of the pixels, for schemes that sample."""

    @property
    def distribution(self) -> str:
        """Return the distribution of the probes."""

    @property
    def shared(self) -> bool:
        """Return whether all images of a batch have the same probes."""


class Scheme(ABC):
    """One way to keep inputs, without state: all random numbers follow from the seed of a call."""

    name: str
    dial: str
    """Field of ``Probing`` that says how much is kept: ``"probes"``, ``"bits"`` or ``"keep"``."""
    default: float
    """Value of the dial if none is given."""
    allowed: str
    """The values that the dial takes, in words."""

    @abstractmethod
    def check(self, value: float) -> None:
        """Raise TypeError or ValueError for a value that the dial cannot have."""

    @abstractmethod
    def describe(self, probing: Dials) -> str:
        """Return in a few words how inputs are kept."""

    @abstractmethod
    def why_exact(self, layout: Layout, probing: Dials) -> str:
        """Return the reason to keep an input of this layout itself, or an empty text."""

    @abstractmethod
    def divide(self, parts: Sequence[Contribution], mean: float) -> Sequence[BlockPlan | float]:
        """Return for each layer its plan, or the value of its dial.

        Together the layers keep no more than if each had ``mean`` as its value, and the variance of
        their gradients is the least.
        """

    @abstractmethod
    def keep(
        self,
        input: Tensor,
        seed: Tensor,
        probing: Dials,
        layout: Layout,
        weight: torch.Size,
        output: torch.Size,
        plan: BlockPlan | None,
    ) -> tuple[Tensor, ...]:
        """Return what is kept of ``input`` (batch, channels, *pixels): the seed, then the rest.

        ``weight`` and ``output`` are shapes. ``plan`` divides the bits of ``spectral``; None stands
        for its nominal plan.
        """

    @abstractmethod
    def kept_like(
        self, input: Tensor, layout: Layout, probing: Dials, plan: BlockPlan | None
    ) -> list[Tensor]:
        """Return empty tensors like those that ``keep`` returns, without the seed."""

    @abstractmethod
    def estimate(
        self,
        kept: Sequence[Tensor],
        seed: Tensor,
        grad_output: Tensor,
        geometry: Geometry,
        probing: Dials,
        layout: Layout,
        weight: Tensor,
    ) -> Tensor:
        """Return the weight gradient, in float32 at least, in the shape of ``weight``.

        The values of ``weight`` are not used.
        """
