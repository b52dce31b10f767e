"""The choice of how a layer keeps its input, and the two operations that follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xconv.choices import suggest
from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.random import DISTRIBUTIONS
from xconv.schemes import SCHEMES
from xconv.schemes.scheme import NO_SMALLER
from xconv.wholes import whole

if TYPE_CHECKING:
    from xconv.spectrum.plan import BlockPlan

DIALS = ("probes", "bits", "keep")
"""Fields of ``Probing`` that say how much is kept; each scheme reads one of them."""


@dataclass(frozen=True)
class Probing:
    """A scheme, and how much of the input it keeps.

    Args:
        probes: number of random projections, for ``"independent"``, ``"multi"`` and
            ``"orthogonal"``; 0 keeps the input itself.
        scheme: one of ``xconv.schemes.SCHEMES``. If empty, the dial given implies it: ``probes``
            mean ``"independent"``, ``keep`` means ``"sampling"``, and ``bits`` or nothing mean
            ``"spectral"``.
        distribution: distribution of the probes, ``"rademacher"`` or ``"gaussian"``.
        bits: bits per element of the input, for ``"spectral"`` and ``"quantized"``.
        keep: share of the pixels, above 0 and at most 1, for ``"sampling"``.
        shared: use the same independent probes for all images of a batch and do not keep means of
            channels apart, as the paper does.

    Raises:
        ValueError: for an unknown word, a number out of range, or a dial of another scheme.
        TypeError: for a value of the wrong type.

    A dial that is None takes the scheme's default.

    >>> Probing(probes=8).scheme
    'independent'
    >>> Probing().dial
    ('bits', 1)
    """

    probes: int | None = None
    scheme: str = ""
    distribution: str = "rademacher"
    bits: float | None = None
    keep: float | None = None
    shared: bool = False

    def __post_init__(self) -> None:
        if not self.scheme:
            object.__setattr__(self, "scheme", self._implied())
        if self.scheme not in SCHEMES:
            raise ValueError(f"unknown scheme {self.scheme!r}; {suggest(self.scheme, SCHEMES)}")
        if self.distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"unknown distribution {self.distribution!r}; "
                f"{suggest(self.distribution, DISTRIBUTIONS)}"
            )
        if self.shared and self.scheme != "independent":
            raise ValueError(
                f"shared=True belongs to scheme 'independent'; got scheme {self.scheme!r}"
            )
        scheme = SCHEMES[self.scheme]
        for dial in DIALS:
            value: Any = getattr(self, dial)
            if dial != scheme.dial and value is not None:
                takers = ", ".join(name for name, other in SCHEMES.items() if other.dial == dial)
                raise ValueError(
                    f"scheme {self.scheme!r} takes {scheme.dial}, not {dial}; "
                    f"got {dial}={value!r}, which is for {takers}"
                )
            if dial == scheme.dial:
                if value is None:
                    object.__setattr__(self, dial, scheme.default)
                else:
                    scheme.check(value)

    def _implied(self) -> str:
        """Return the scheme that the given dials imply."""
        if self.probes is not None:
            return "independent"
        return "spectral" if self.keep is None else "sampling"

    @property
    def is_exact(self) -> bool:
        """Return whether the input itself is kept, so that nothing is estimated."""
        return self.probes == 0

    @property
    def dial(self) -> tuple[str, float]:
        """Return name and value of the scheme's dial."""
        name = SCHEMES[self.scheme].dial
        return name, getattr(self, name)

    def with_dial(self, value: float) -> "Probing":
        """Return a copy with another value of the dial."""
        return Probing.of_dial(self.scheme, value, self.distribution, self.shared)

    @classmethod
    def of_dial(
        cls, scheme: str, value: float, distribution: str, shared: bool = False
    ) -> "Probing":
        """Return a Probing by ``scheme`` with this value of its dial."""
        dial = SCHEMES[scheme].dial
        number: Any = int(value) if dial == "probes" else value
        return cls(scheme=scheme, distribution=distribution, shared=shared, **{dial: number})

    def why_exact(self, input: Tensor) -> str:
        """Return the reason to keep ``input`` (batch, channels, *pixels) itself, or an empty text.

        One reason is a sketch that would be no smaller than the input.
        """
        if self.is_exact or input.numel() == 0 or input.is_complex():
            return NO_SMALLER
        return SCHEMES[self.scheme].why_exact(Layout.of(input), self)


@whole
def keep(
    input: Tensor,
    seed: Tensor,
    probing: Probing,
    layout: Layout,
    weight_shape: torch.Size,
    output_shape: torch.Size,
    plan: "BlockPlan | None" = None,
) -> tuple[Tensor, ...]:
    """Return what is kept of ``input``: the seed, followed by what the scheme keeps."""
    scheme = SCHEMES[probing.scheme]
    return scheme.keep(input, seed, probing, layout, weight_shape, output_shape, plan)


@whole
def estimate_gradient(
    kept: Sequence[Tensor],
    grad_output: Tensor,
    geometry: Geometry,
    probing: Probing,
    layout: Layout,
    weight: Tensor,
    dtype: torch.dtype,
) -> Tensor:
    """Return the weight gradient from what ``keep`` returned.

    The same random numbers are drawn again. The gradient has the shape and strides of ``weight``,
    in ``dtype``. Raises RuntimeError if hooks of saved tensors changed the seed.
    """
    seed, *stored = kept
    if seed.dtype != torch.int64 or seed.dim():
        raise RuntimeError(
            "the seed of a sketch was saved as a 0-d int64 tensor and came back as "
            f"{tuple(seed.shape)} {seed.dtype}; hooks of saved tensors must give back what they got"
        )
    scheme = SCHEMES[probing.scheme]
    gradient = scheme.estimate(stored, seed, grad_output, geometry, probing, layout, weight)
    gradient = gradient.to(dtype)  # frees the float32 sum before another copy is made
    return strided_as(gradient, weight)


def strided_as(gradient: Tensor, weight: Tensor) -> Tensor:
    """Return ``gradient`` with the strides of ``weight``.

    Distributed training compares the strides of both, including the meaningless ones of dimensions
    of size 1.
    """
    if gradient.stride() == weight.stride():
        return gradient
    if weight.is_contiguous():
        return gradient.reshape(-1).as_strided(weight.shape, weight.stride())
    return torch.empty_like(weight, dtype=gradient.dtype).copy_(gradient)
