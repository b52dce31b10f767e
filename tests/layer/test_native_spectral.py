"""Coefficients by the kernels in C agree with those of torch's operators, and so do gradients.

A number near the middle of two levels may be rounded to the other one: one in millions.
"""

from collections.abc import Callable, Iterable

import pytest
import torch
from native_cases import assert_same, needs_compiler, switched, threads
from torch import Tensor
from turned_groups import given_back

from xconv import XConv1d, XConv2d, XConv3d
from xconv.native.library import describe_use, library_for
from xconv.native.team import address_of_team
from xconv.spectrum.blocks import blocks_of
from xconv.spectrum.coding import coefficients, fill
from xconv.spectrum.rounding import decode_scales, encode, encode_scales, rotation
from xconv.spectrum.sampling import draw_frequencies
from xconv.wholes import Stretch

pytestmark = needs_compiler

SHAPES: dict[str, tuple[type, tuple[int, ...]]] = {
    "lines": (XConv1d, (3, 6, 100)),
    "images": (XConv2d, (3, 6, 40, 23)),
    "small images": (XConv2d, (5, 6, 7, 7)),
    "volumes": (XConv3d, (2, 6, 9, 8, 11)),
}


def both(run: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
    """Return what ``run`` returns with kernels, and with torch's operators."""
    with switched("on"):
        assert describe_use() == "in use"
        ours = run()
    with switched("off"):
        return ours, run()


def step_of(name: str, scheme: str, dtype: torch.dtype, **dial: float) -> tuple[Tensor | None, ...]:
    kind, shape = SHAPES[name]
    torch.manual_seed(0)
    layer = kind(6, 10, 3, padding=1, scheme=scheme, **dial).to(dtype)
    input = torch.randn(shape).to(dtype).requires_grad_()
    output = layer(input)
    output.backward(torch.randn(output.shape).to(dtype))
    return output.detach(), input.grad, layer.weight.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("scheme", "dial"),
    [
        ("quantized", {"bits": 2}),
        ("quantized", {"bits": 4}),
        ("multi", {}),
        ("orthogonal", {}),
    ],
)
@pytest.mark.parametrize("name", SHAPES)
def test_a_step_is_the_same(
    name: str, scheme: str, dial: dict[str, float], dtype: torch.dtype
) -> None:
    assert_same(lambda: step_of(name, scheme, dtype, **dial))


@pytest.mark.parametrize("bits", [0.5, 3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_a_step_of_spectral_agrees(name: str, dtype: torch.dtype, bits: float) -> None:
    def weight_gradient() -> Tensor:
        found = step_of(name, "spectral", dtype, bits=bits)[2]
        assert found is not None
        return found.double()

    ours, theirs = both(weight_gradient)
    assert (ours - theirs).norm() < 0.03 * theirs.norm()  # room for a number rounded otherwise


def maps_of(shape: tuple[int, ...]) -> Iterable[Tensor]:
    """Yield maps that lie in memory in several ways."""
    generator = torch.Generator().manual_seed(0)
    yield torch.randn(shape, generator=generator)
    yield torch.randn(shape[0], *shape[2:], shape[1], generator=generator).movedim(-1, 1)
    yield torch.randn(shape[0], 3 * shape[1], *shape[2:], generator=generator)[:, ::3]
    yield torch.randn(shape, generator=generator).flip(-1).transpose(-1, 2).transpose(2, -1)
    yield torch.randn(1, *shape[1:], generator=generator).expand(shape)
    yield torch.randn(shape, generator=generator).to(torch.bfloat16)


@pytest.mark.parametrize(
    "shape",
    [
        (2, 3, 100),
        (1, 5, 40),
        (2, 3, 40, 23),
        (5, 6, 7, 7),
        (2, 3, 2, 3),
        (3, 1, 1, 9),
        (2, 3, 9, 8, 11),
    ],
    ids=str,
)
def test_coefficients_and_maps_agree(shape: tuple[int, ...]) -> None:
    blocks = blocks_of(shape[2:])
    frequencies = torch.arange(0, blocks.size, 2, dtype=torch.int16)
    weights = torch.linspace(1, 2, len(frequencies))
    for images in maps_of(shape):
        ours, theirs = both(lambda: coefficients(images, frequencies, weights, blocks))  # noqa: B023
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6 * float(theirs.abs().max()))
        some = Stretch(0, shape[0]), Stretch(0, shape[1])
        chosen = theirs.view(len(frequencies), *shape[:2], -1)

        def filled() -> Tensor:
            target = torch.full_like(images, 7.0)  # noqa: B023
            fill(target, *some, chosen, frequencies, blocks)  # noqa: B023
            return target

        ours, theirs = both(filled)
        assert ours.stride() == theirs.stride()
        close = 1e-2 if images.dtype == torch.bfloat16 else 1e-5
        torch.testing.assert_close(ours, theirs, rtol=close, atol=close)


@pytest.mark.parametrize("strange", [1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8, 16])
def test_turned_groups_agree(bits: int, strange: float) -> None:
    values = torch.randn(17 * 64 - 5, generator=torch.Generator().manual_seed(bits))
    values[327] = strange
    values[384:448] = 0
    turn = rotation(torch.tensor(3))

    def restored() -> Tensor:
        return given_back(*encode(values, bits, turn), bits, turn)

    ours, theirs = both(restored)
    assert ours[6].eq(0).all()
    assert ours[5].isfinite().all() == (strange == 1.0)
    groups = theirs.isfinite().all(1)
    assert groups.equal(ours.isfinite().all(1))
    assert (ours - theirs)[groups].norm() < 1e-2 * theirs[groups].norm()


def test_rotations_agree() -> None:
    ours, theirs = both(lambda: rotation(torch.tensor(5)))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
    identity = torch.eye(64, dtype=torch.float64)
    torch.testing.assert_close(ours.double() @ ours.double().t(), identity, rtol=0, atol=1e-6)


@pytest.mark.parametrize("bits", [8, 16])
def test_scales_agree(bits: int) -> None:
    """One in thousands may be rounded to a neighbour, 4.4 % away at 8 bits."""
    scales = torch.rand(5000, generator=torch.Generator().manual_seed(0)).pow(8)
    scales[17], scales[18], largest = 0.0, 1.0, torch.tensor([1.0])

    def restored() -> Tensor:
        codes = encode_scales(scales, largest, torch.tensor(4), bits)
        return decode_scales(codes, largest, bits)

    ours, theirs = both(restored)
    torch.testing.assert_close(ours, theirs, rtol=0.1 if bits == 8 else 1e-3, atol=1e-30)
    assert (ours - theirs).abs().gt(1e-5 * theirs).sum() < 20


@pytest.mark.parametrize("count", [1, 7, 40])
def test_frequencies_are_the_same(count: int) -> None:
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    probabilities = torch.linspace(1, 0.1, 60, dtype=torch.float64)
    probabilities = (probabilities * (count / probabilities.sum())).clamp(max=1)
    probabilities[0] += count - probabilities.sum()
    for seed in range(50):
        number = torch.tensor(seed)
        assert_same(lambda: draw_frequencies(number, order, probabilities, count))  # noqa: B023


def test_threads_share_a_large_tensor_and_change_no_bit() -> None:
    images = torch.randn(4, 70, 33, 33, generator=torch.Generator().manual_seed(0))
    blocks, turn = blocks_of((33, 33)), rotation(torch.tensor(1))
    frequencies = torch.arange(blocks.size, dtype=torch.int16)

    def restored() -> tuple[Tensor, ...]:
        values = coefficients(images, frequencies, torch.ones(blocks.size), blocks)
        codes = encode(values, 2, turn)
        target = torch.empty_like(images)
        shape = blocks.size, 4, 70, blocks.number
        fill(target, Stretch(0, 4), Stretch(0, 70), values.view(shape), frequencies, blocks)
        return values, *codes, given_back(*codes, 2, turn), target

    with switched("on"):
        with threads(1):
            alone = restored()
        with threads(3):
            shared = restored()
            library = library_for()
            assert library is not None
            library.run("use_team", 0)  # threads of our own
            try:
                own = restored()
            finally:
                library.run("use_team", address_of_team())
    assert all(map(torch.equal, alone, shared))
    assert all(map(torch.equal, alone, own))
    torch.testing.assert_close(shared[-1], images, rtol=1e-5, atol=1e-5)
