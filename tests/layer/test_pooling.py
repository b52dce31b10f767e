"""Pooling of every geometry has torch's outputs and gradients, and keeps positions or shapes."""

from collections.abc import Callable, Iterator
from math import nan
from typing import Any

import pytest
import torch
from geometries import DRAWN, MEMORY_FORMATS
from hypothesis import given
from hypothesis import strategies as st
from saved_cases import assert_same_bits, kept_bytes, run
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from xconv import account, convert
from xconv.saved import windows
from xconv.saved.max_pool import pool_maxima, scatter_to_maxima
from xconv.saved.module import Saving
from xconv.saved.pool import POOLS
from xconv.saved.windows import Windows, parts

Layers = tuple[nn.Module, nn.Module, Tensor]


def converted(layer: nn.Module) -> nn.Module:
    model: nn.Module = convert(nn.Sequential(layer), compress=["pool"])[0]
    return model


@st.composite
def images(draw: st.DrawFn, dimensions: int) -> Tensor:
    """Numbers with many ties among them, and NaN; lying in memory as images may."""
    pixels = [draw(st.integers(1, 9)) for _ in range(dimensions)]
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 4)), *pixels)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    numbers = torch.randint(-3, 3, shape, generator=generator).to(draw(st.sampled_from(
        [torch.float32, torch.float64, torch.float16])))  # fmt: skip
    if draw(st.booleans()):
        numbers.view(-1)[:: draw(st.integers(1, 7))] = nan
    if draw(st.booleans()) and numbers.dim() in MEMORY_FORMATS:
        numbers = numbers.contiguous(memory_format=MEMORY_FORMATS[numbers.dim()])
    return numbers[0] if draw(st.booleans()) else numbers


@st.composite
def poolings(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    """A module of torch's and an input that it may refuse."""
    dimensions = draw(st.integers(1, 3))
    x = draw(images(dimensions))

    def sizes(least: int, most: int) -> Any:
        one = st.integers(least, most)
        return draw(st.one_of(one, st.tuples(*(one for _ in range(dimensions)))))

    kind = draw(st.sampled_from(["MaxPool", "AvgPool", "AdaptiveMaxPool", "AdaptiveAvgPool"]))
    build = getattr(nn, f"{kind}{dimensions}d")
    if kind.startswith("Adaptive"):
        return build(sizes(1, 5)), x
    how: dict[str, Any] = {"ceil_mode": draw(st.booleans())}
    how["stride"] = sizes(1, 4) if draw(st.booleans()) else None
    how["padding"] = sizes(0, 2)
    if kind == "MaxPool":
        how["dilation"] = sizes(1, 3)
    else:
        how["count_include_pad"] = draw(st.booleans())
        if dimensions > 1 and draw(st.booleans()):
            how["divisor_override"] = draw(st.integers(1, 5))
    return build(sizes(1, 4), **how), x


def outcome(layer: nn.Module, x: Tensor) -> list[Tensor] | None:
    """None where torch refuses the geometry, or has no such operator on a CPU."""
    try:
        return run(layer, x)
    except (RuntimeError, NotImplementedError):
        return None


@DRAWN
@given(poolings(), st.sampled_from([2**18, 24]))
def test_any_geometry(pooling: tuple[nn.Module, Tensor], together: int) -> None:
    layer, x = pooling
    expected = outcome(layer, x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(windows._AT_A_TIME, "cpu", together)
        actual = outcome(converted(layer), x)
    if expected is None or actual is None:
        assert expected is actual
        return
    assert actual[0].stride() == expected[0].stride()
    for ours, theirs in zip(actual, expected, strict=True):
        assert_same_bits(ours, theirs)


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setitem(windows._AT_A_TIME, "cpu", 600)
    yield 600


class Largest(TorchDispatchMode):
    """The elements of the largest whole-number tensor that operators make."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        for result in results if isinstance(results, tuple | list) else [results]:
            is_real = isinstance(result, Tensor) and result.device.type != "meta"
            if is_real and result.dtype == torch.int64:
                self.elements = max(self.elements, result.numel())
        return results


@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
def test_indices_exist_for_some_images_and_channels_at_a_time(
    few_at_a_time: int, last: bool
) -> None:
    x = torch.randn(4, 8, 40, 40)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    numbers = Windows((2, 2), (2, 2), (0, 0), (1, 1)).numbers()
    shape = torch.Size((4, 8, 20, 20))
    assert len(list(parts(shape, x.device))) > 16
    with Largest() as seen:
        output, packed = pool_maxima._init_fn(x, 2, numbers)
        indices = seen.elements
        seen.elements = 0
        gradient = scatter_to_maxima._init_fn(output, packed, (40, 40), last, 2, numbers)
    words = shape.numel() // 8
    assert 0 < indices <= max(few_at_a_time, words) and 0 < seen.elements <= max(
        few_at_a_time, words
    )
    assert torch.equal(gradient.sum(), output.sum()) or torch.allclose(gradient.sum(), output.sum())
    assert gradient.is_contiguous(memory_format=torch.channels_last) == last


def test_parts_cover_an_output_once() -> None:
    for shape in [(5, 3, 7), (2, 100, 9, 9), (1, 1, 1000, 1000), (3, 7, 600, 600), (0, 3, 4)]:
        covered = torch.zeros(shape[:2], dtype=torch.int)
        for part in parts(torch.Size(shape), torch.device("cpu")):
            covered[part] += 1
        assert (covered == 1).all()


LEFT: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "indices": (lambda: nn.MaxPool2d(2, return_indices=True), "indices of its maxima"),
    "adaptive indices": (lambda: nn.AdaptiveMaxPool2d(2, True), "indices of its maxima"),
    "large windows": (lambda: nn.MaxPool2d((16, 17)), "more than 256 elements"),
}


@pytest.mark.parametrize(("build", "reason"), LEFT.values(), ids=LEFT)
def test_what_is_left_exact_is_listed(build: Callable[[], nn.Module], reason: str) -> None:
    model = nn.Sequential(build())
    (entry,) = account(convert(model, compress=["pool"]))
    assert not entry.swapped and reason in entry.reason
    assert not isinstance(model[0], Saving)
    (built,) = account(POOLS[type(build())](*vars_of(build())))
    assert not built.swapped and reason in built.reason


def vars_of(layer: nn.Module) -> list[Any]:
    if isinstance(layer, nn.AdaptiveMaxPool2d):
        return [layer.output_size, layer.return_indices]
    return [layer.kernel_size, None, 0, 1, layer.return_indices]


def test_windows_of_256_elements_are_numbered() -> None:
    layer = nn.MaxPool2d(16, 5)
    x = torch.randn(2, 3, 40, 37)
    for ours, theirs in zip(run(converted(layer), x), run(nn.MaxPool2d(16, 5), x), strict=True):
        assert_same_bits(ours, theirs)


def test_adaptive_windows_that_are_too_large_are_known_after_a_call() -> None:
    layer = converted(nn.AdaptiveMaxPool2d(1))
    assert account(layer).left == []
    x = torch.randn(1, 2, 17, 17, requires_grad=True)
    layer(x)
    (entry,) = account(layer)
    assert not entry.swapped and "more than 256 elements" in entry.reason
    layer(x[..., :16, :16])
    assert account(layer).left == []


def test_none_stands_for_the_pixels_of_the_input() -> None:
    for build in (nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d):
        x = torch.randn(2, 3, 9, 7)
        for size in ((3, None), (None, 3), (None, None)):
            actual = run(converted(build(size)), x)
            for ours, theirs in zip(actual, run(build(size), x), strict=True):
                assert_same_bits(ours, theirs)


def test_a_network_keeps_a_sixteenth_of_what_torch_keeps_for_pooling() -> None:
    """An input and an index of eight bytes a window of four, against two bits."""
    x = torch.randn(2, 4, 16, 16, requires_grad=True) + 0
    exact = kept_bytes(nn.MaxPool2d(2), x)
    assert exact == x.nbytes + x.nbytes // 2
    assert kept_bytes(converted(nn.MaxPool2d(2)), x) == x.numel() // 4 * 2 // 8
