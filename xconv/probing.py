"""How the input of a layer is kept, and the two things that are done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.random import DISTRIBUTIONS
from xconv.schemes import SCHEMES
from xconv.schemes.scheme import NO_SMALLER
from xconv.wholes import whole

if TYPE_CHECKING:
    from xconv.spectrum.plan import Plan

DIALS = ("probes", "bits", "keep")
"""Fields of ``Probing`` of which each scheme reads one."""


@dataclass(frozen=True)
class Probing:
    """How the input of a layer is kept: a scheme, and how much by it.

    ``probes`` belong to ``independent``, ``multi`` and ``orthogonal`` (0 means exactly), ``bits``
    an element to ``spectral`` and ``quantized``, ``keep``, a share of the pixels, to ``sampling``;
    ``distribution`` is that of probes; with ``shared`` all images of a batch have the same
    independent ones and nothing is centred, as published. Without a scheme, ``probes`` mean
    ``independent``, ``keep`` means ``sampling``, and nothing or ``bits`` mean ``spectral``. A dial
    that is None and belongs to the scheme takes the scheme's default; that of another scheme is
    refused.

    Raises ValueError or TypeError, with the value given and the values allowed, when it is made
    with anything else.
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
            raise ValueError(f"unknown scheme {self.scheme!r}; choose from {', '.join(SCHEMES)}")
        if self.distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"unknown distribution {self.distribution!r}; "
                f"choose from {', '.join(DISTRIBUTIONS)}"
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
        """The scheme that the dials given mean."""
        if self.probes is not None:
            return "independent"
        return "spectral" if self.keep is None else "sampling"

    @property
    def is_exact(self) -> bool:
        """Whether nothing is estimated."""
        return self.probes == 0

    @property
    def dial(self) -> tuple[str, float]:
        """Name and value of the dial of the scheme."""
        name = SCHEMES[self.scheme].dial
        return name, getattr(self, name)

    def with_dial(self, value: float) -> "Probing":
        """Return the same with another value of the dial."""
        return Probing.of_dial(self.scheme, value, self.distribution, self.shared)

    @classmethod
    def of_dial(
        cls, scheme: str, value: float, distribution: str, shared: bool = False
    ) -> "Probing":
        """Return what ``scheme``, the value of its dial, ``distribution`` and ``shared`` say."""
        dial = SCHEMES[scheme].dial
        number: Any = int(value) if dial == "probes" else value
        return cls(scheme=scheme, distribution=distribution, shared=shared, **{dial: number})

    def why_exact(self, input: Tensor) -> str:
        """Return why ``input`` (batch, channels, *pixels) is kept as it is; empty where it is not.

        A sketch that is no smaller than the input is one reason.
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
    plan: "Plan | None" = None,
) -> tuple[Tensor, ...]:
    """Return what is kept of ``input``: the seed, then what the scheme keeps."""
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
    """Return the weight gradient, in ``dtype``, shape and strides of ``weight``, from what ``keep``
    gave.

    The same random numbers are drawn again. Raises RuntimeError if hooks of saved tensors turned
    the seed into something else.
    """
    seed, *stored = kept
    if seed.dtype != torch.int64 or seed.dim():
        raise RuntimeError(
            "the seed of a sketch was saved as a 0-d int64 tensor and came back as "
            f"{tuple(seed.shape)} {seed.dtype}; hooks of saved tensors must give back what they got"
        )
    scheme = SCHEMES[probing.scheme]
    gradient = scheme.estimate(stored, seed, grad_output, geometry, probing, layout, weight)
    gradient = gradient.to(dtype)  # the sum in float32 is gone before it is laid otherwise
    return strided_as(gradient, weight)


def strided_as(gradient: Tensor, weight: Tensor) -> Tensor:
    """Return ``gradient`` as ``weight`` lies: distributed training compares the strides of both,
    also those of dimensions of size 1, which mean nothing."""
    if gradient.stride() == weight.stride():
        return gradient
    if weight.is_contiguous():
        return gradient.reshape(-1).as_strided(weight.shape, weight.stride())
    return torch.empty_like(weight, dtype=gradient.dtype).copy_(gradient)
