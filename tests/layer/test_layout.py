"""In which order a tensor lies in memory."""

import pytest
import torch
from geometries import MEMORY_FORMATS
from torch import Tensor

from xconv.layout import Layout, from_memory_order, in_memory_order, is_channels_last

SHAPES = [(2, 3, 4), (2, 3, 4, 5), (2, 3, 4, 5, 2)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{len(shape) - 2}d")


def channels_last(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape[0], *shape[2:], shape[1]).movedim(-1, 1)


@every_shape
def test_both_memory_formats_are_told_apart(shape: tuple[int, ...]) -> None:
    assert is_channels_last(channels_last(shape))
    assert not is_channels_last(torch.randn(shape))
    if len(shape) in MEMORY_FORMATS:
        memory_format = MEMORY_FORMATS[len(shape)]
        assert is_channels_last(torch.randn(shape).contiguous(memory_format=memory_format))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(2, 1, 4, 5),
        torch.randn(2, 3, 1, 1).contiguous(memory_format=torch.channels_last),
        torch.randn(2, 3, 4, 10)[..., ::2],
        torch.randn(2, 3, 4, 5).transpose(2, 3),
        torch.randn(1, 3, 1, 1).expand(2, 3, 4, 5),
        torch.randn(3, 2),
        torch.randn(()),
    ],
    ids=["one channel", "one pixel", "slice", "transposed", "expanded", "matrix", "scalar"],
)
def test_anything_else_counts_as_contiguous(tensor: Tensor) -> None:
    assert not is_channels_last(tensor)


@every_shape
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
def test_memory_order_is_a_view_there_and_back(last: bool, shape: tuple[int, ...]) -> None:
    tensor = channels_last(shape) if last else torch.randn(shape)
    ordered = in_memory_order(tensor, last)
    assert ordered.is_contiguous()
    assert ordered.data_ptr() == tensor.data_ptr()
    assert torch.equal(from_memory_order(ordered, last), tensor)
    assert from_memory_order(ordered, last).stride() == tensor.stride()


@every_shape
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
def test_new_tensors_lie_as_the_images_do(last: bool, shape: tuple[int, ...]) -> None:
    tensor = channels_last(shape).half() if last else torch.randn(shape).half()
    layout = Layout.of(tensor)
    assert layout.channels_last == last
    one = layout.empty(slice(1, 9))
    assert (one.dtype, one.shape) == (torch.float16, (1, *shape[1:]))
    assert layout.empty(slice(None)).stride() == tensor.stride()
