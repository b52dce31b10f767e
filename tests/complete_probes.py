"""Ways to probe, and probes that they can be handed in place of random ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from xconv.layout import Layout, from_memory_order, in_memory_order
from xconv.probing import Probing
from xconv.schemes import PROBED
from xconv.schemes.independent import ProbeColumns

WAYS: dict[str, dict[str, Any]] = {
    "multi": {"scheme": "multi"},
    "independent": {"scheme": "independent"},
    "independent, shared": {"scheme": "independent", "shared": True},
    "orthogonal": {"scheme": "orthogonal"},
}
"""Arguments of a layer, by name."""


def is_single(probing: Probing) -> bool:
    """Whether a probe spans one channel."""
    return probing.scheme == "independent"


def probe_shape(probing: Probing, layout: Layout) -> tuple[int, ...]:
    """Channels, 1 where they are probed one by one, and pixels."""
    return (1 if is_single(probing) else layout.shape[1], *layout.shape[2:])


def sets(probing: Probing, layout: Layout) -> int:
    """How many sets of probes a batch has."""
    return layout.shape[0] if is_single(probing) and not probing.shared else 1


def complete_probes(probing: Probing, layout: Layout) -> Tensor:
    """Orthogonal probes Z that are as many as they have entries: ``Z Zᵀ = r·I``, exactly.

    (sets, r, *probe_shape)
    """
    shape = probe_shape(probing, layout)
    size = torch.Size(shape).numel()
    number = sets(probing, layout)
    numbers = torch.randn(number, size, size, dtype=torch.float64, generator=torch.Generator())
    orthogonal = torch.linalg.qr(numbers).Q * size**0.5
    return orthogonal.view(number, size, *shape).to(layout.dtype)


def laid(probes: Tensor, layout: Layout) -> Tensor:
    """A copy that lies as images of ``layout``."""
    return (
        from_memory_order(in_memory_order(probes, layout.channels_last), layout.channels_last) + 0
    )


@contextmanager
def handed_out(probing: Probing, probes: Tensor, images: int = 0, columns: int = 0) -> Iterator:
    """Inside, the scheme has these ``probes`` (sets, r, *probe_shape), some at a time, the images
    of which are more than one where zero."""
    total = probes.shape[1]

    def parts(self: Any, layout: Layout, *_: Any) -> Iterator[ProbeColumns]:
        step = images or layout.shape[0]
        for start in range(0, layout.shape[0], step):
            for column in range(0, total, columns or total):
                last = min(column + (columns or total), total)
                some = slice(start, min(start + step, layout.shape[0]))
                yield ProbeColumns(some, slice(column, last), 0, last == total)

    def draw_single(self: Any, seed: Tensor, part: ProbeColumns, layout: Layout, _: Any) -> Tensor:
        of_images = slice(None) if probing.shared else part.images
        return laid(probes[of_images, part.columns, 0], layout)

    def draw(self: Any, seed: Tensor, some: slice, r: int, layout: Layout, _: Any) -> Tensor:
        return laid(probes[0, some], layout)

    kind = type(PROBED[probing.scheme])
    if is_single(probing):
        with mock.patch.multiple(kind, _parts=parts, draw=draw_single):
            yield
    else:
        size = mock.Mock(return_value=columns or total)
        with mock.patch.multiple(kind, chunk_size=size, draw=draw):
            yield


@contextmanager
def ordered(probing: Probing, expanding: bool) -> Iterator:
    """Inside, the scheme computes in this order whatever the sizes."""
    name = "_expands" if is_single(probing) else "expanding_costs_less"
    kind = type(PROBED[probing.scheme])
    with mock.patch.object(kind, name, return_value=expanding):
        yield


def projected(input: Tensor, probes: Tensor, probing: Probing) -> Tensor:
    """``x̂``, straight from the definition, in float64: ``Z Zᵀ x / r``, of each channel or of all.

    Where each image has its own probes, of what deviates from a channel's mean, which comes back.
    """
    images, z = input.double(), probes.double()
    if not is_single(probing):
        lines = z[0].flatten(1)
        return (images.flatten(1) @ lines.t() @ lines / len(lines)).view(input.shape)
    x, lines = images.flatten(2), z.flatten(2)
    if probing.shared:
        return (x @ lines.transpose(1, 2) @ lines / lines.shape[1]).view(input.shape)
    means = x.mean(2, keepdim=True)
    lines = lines - lines.mean(2, keepdim=True)
    rest = (x - means) @ lines.transpose(1, 2) @ lines / lines.shape[1]
    return (means + rest).view(input.shape)


def drawn_probes(
    probing: Probing,
    layout: Layout,
    seed: int,
    size: int = 0,
    weight: tuple[int, ...] = (1, 1, 1, 1),
    output: tuple[int, ...] = (1, 1, 1, 1),
) -> Tensor:
    """The probes that a seed gives: (sets, r, *probe_shape); ``size`` columns of multi's at a time,
    as many as the scheme itself chooses for these shapes of weight and output where zero."""
    scheme: Any = PROBED[probing.scheme]
    shapes = torch.Size(weight), torch.Size(output)
    probes, number = probing.probes or 0, torch.tensor(seed)
    if not is_single(probing):
        size = size or scheme.chunk_size(layout, probes, *shapes)
        chunks = scheme.chunks(number, probes, size, layout, probing.distribution)
        return torch.cat([chunk for _, chunk in chunks]).unsqueeze(0)
    shape = sets(probing, layout), probes, *probe_shape(probing, layout)
    z = torch.full(shape, torch.nan, dtype=layout.dtype)
    for part in scheme._parts(layout, probing, *shapes):
        images = slice(None) if probing.shared else part.images
        z[images, part.columns, 0] = scheme.draw(number, part, layout, probing)
    return z
