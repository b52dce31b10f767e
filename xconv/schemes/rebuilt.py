"""Schemes that form x̂, some images at a time, and pass it to the backend's weight gradient."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xconv.geometry import Geometry
from xconv.layout import Layout
from xconv.schemes.scheme import NO_SMALLER, Scheme
from xconv.wholes import Stretch, whole

if TYPE_CHECKING:
    from xconv.schemes.scheme import Dials

AT_A_TIME = {"cpu": 2**20}
AT_A_TIME_ELSEWHERE = 2**24
"""Elements of x̂ to process together; on a CPU few enough to stay in its cache."""
_MOST_PARTS = 64
"""Largest number of parts of a batch; very large batches occur in simulations only."""


class Rebuilt(Scheme):
    """Base of schemes that rebuild x̂ from what they keep, which is at most as large as x."""

    @abstractmethod
    def kept_bytes(self, layout: Layout, probing: Dials) -> int:
        """Return the bytes of what ``keep`` returns, without the seed."""

    @abstractmethod
    def rebuild(
        self, kept: Sequence[Tensor], seed: Tensor, probing: Dials, layout: Layout
    ) -> Iterator[tuple[slice, Tensor]]:
        """Yield slices of images with their x̂ over ``factor``, in the layout of these images."""

    def factor(self, probing: Dials, layout: Layout) -> float:
        """Return the number by which gradients are multiplied in the end.

        X̂ over this number is in the range of its dtype, which x̂ itself might not be.
        """
        return 1.0

    def why_exact(self, layout: Layout, probing: Dials) -> str:
        """Return a reason if what would be kept is no smaller than the input, or an empty text."""
        size = prod(layout.shape) * layout.dtype.itemsize
        return "" if self.kept_bytes(layout, probing) < size else NO_SMALLER

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
        """Return the sum of the weight gradients of some images after the other."""
        total: Tensor | None = None
        for images, rebuilt in self.rebuild(kept, seed, probing, layout):
            part = gradient_of_images(geometry, grad_output, Stretch.of(images), rebuilt, weight)
            del rebuilt
            wide = torch.promote_types(part.dtype, torch.float32)
            total = part.to(wide) if total is None else total.add_(part)
            del part
        assert total is not None
        factor = self.factor(probing, layout)
        return total if factor == 1 else total.mul_(factor)


def some_images(layout: Layout) -> Iterator[slice]:
    """Yield slices of images of a batch, to process some at a time."""
    batch = layout.shape[0]
    room = AT_A_TIME.get(layout.device.type, AT_A_TIME_ELSEWHERE)
    size = max(1, room * batch // prod(layout.shape), -(-batch // _MOST_PARTS))
    return (slice(start, min(start + size, batch)) for start in range(0, batch, size))


@whole
def gradient_of_images(
    geometry: Geometry, grad_output: Tensor, images: Stretch, input: Tensor, weight: Tensor
) -> Tensor:
    """Return the weight gradient of some images, of which ``input`` has no others."""
    return geometry.weight_gradient(images.within(grad_output), input, weight)
