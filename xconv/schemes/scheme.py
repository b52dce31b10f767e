"""What a scheme is: a way to keep an input in fewer bytes, and a weight gradient from what is kept.

The weight gradient ``dW = Σ_b x_b ⋆ δ_b`` is linear in the input x. Whatever stands for x need only
have x as its mean. A scheme keeps such a stand-in x̂; it may have a shorter way to the gradient than
forming x̂.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout

if TYPE_CHECKING:
    from xconv.probing import Probing
    from xconv.spectrum.plan import Part, Plan


NO_SMALLER = "the sketch would be no smaller than the input: exact gradient"
"""Why a call keeps its input."""


class Scheme(ABC):
    """One way to keep inputs. Stateless; everything random follows from the seed of a call."""

    name: str
    dial: str
    """Field of ``Probing`` that says how much is kept: ``"probes"``, ``"bits"`` or ``"keep"``."""
    default: float
    """Value of the dial where none is given."""
    allowed: str
    """The values that the dial takes, in words."""

    @abstractmethod
    def check(self, value: float) -> None:
        """Raise TypeError or ValueError for a value that the dial cannot have."""

    @abstractmethod
    def describe(self, probing: Probing) -> str:
        """Return how inputs are kept, in a few words."""

    @abstractmethod
    def why_exact(self, layout: Layout, probing: Probing) -> str:
        """Return why an input of this layout is better kept as it is; empty where it is not."""

    @abstractmethod
    def divide(self, parts: Sequence[Part], mean: float) -> Sequence[Plan | float]:
        """Return for each layer its plan, or the value of its dial, so that all together keep no
        more than with ``mean`` as the value of each, at the least variance of their gradients."""

    @abstractmethod
    def keep(
        self,
        input: Tensor,
        seed: Tensor,
        probing: Probing,
        layout: Layout,
        weight: torch.Size,
        output: torch.Size,
        plan: Plan | None,
    ) -> tuple[Tensor, ...]:
        """Return what is kept of ``input`` (batch, channels, *pixels): the seed, then the rest.

        ``weight`` and ``output`` are shapes; ``plan`` divides the bits of ``spectral``, None for
        its nominal plan.
        """

    @abstractmethod
    def kept_like(
        self, input: Tensor, layout: Layout, probing: Probing, plan: Plan | None
    ) -> list[Tensor]:
        """Return empty tensors of the shapes, dtypes and devices of what ``keep`` returns, without
        the seed."""

    @abstractmethod
    def estimate(
        self,
        kept: Sequence[Tensor],
        seed: Tensor,
        grad_output: Tensor,
        geometry: Geometry,
        probing: Probing,
        layout: Layout,
        weight: Tensor,
    ) -> Tensor:
        """Return the weight gradient, in float32 at least, shape of ``weight``, whose values do not
        count."""
