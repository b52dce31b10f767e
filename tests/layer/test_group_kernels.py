"""Kernels that round groups of numbers do what torch's operators do with the same random ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
import torch
from kernel_cases import DEVICES, SEED, device_of, kernels_everywhere, philox_words, uniform
from native_cases import switched
from torch import Tensor, nn

from xconv import grouped, rounded
from xconv.grouped import BITS, GROUP
from xconv.kernels import choice
from xconv.layout import Layout
from xconv.packing import unpack_codes
from xconv.probing import Probing
from xconv.random import SEED_LIMIT
from xconv.saved import maps, stand_in
from xconv.saved.norm import NORMALIZATIONS
from xconv.schemes.quantized import Quantized

every_device = pytest.mark.parametrize("name", DEVICES)
CLAIMED = torch.tensor(SEED + SEED_LIMIT)


def chances(seed: int, count: int, first_group: int = 0) -> Tensor:
    """r of numbers that follow each other, as kernels draw them."""
    fours = torch.arange(count // 4) + first_group * (GROUP // 4)
    return uniform(torch.stack(philox_words(seed, fours, 5), dim=1).view(-1))


@contextmanager
def same_chances(first_group: int = 0) -> Iterator[None]:
    """Inside, torch's operators round with the random numbers of kernels."""

    def drawn(seed: Tensor, stream: int, like: Tensor) -> Tensor:
        return chances(int(CLAIMED), like.numel(), first_group).view_as(like).to(like.device)

    with mock.patch("xconv.grouped._chances", drawn), switched("off"):
        yield


def numbers(groups: int, device: torch.device) -> Tensor:
    """Groups of all kinds: smooth, with many zeros, all equal, with NaN and with infinity."""
    values = torch.randn(groups, GROUP, generator=torch.Generator().manual_seed(groups))
    values[1::5].relu_()
    values[2::5] = 0.3
    values[3::5, 7] = float("nan")
    return values.to(device)


@every_device
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("dithered", [None, True, False])
def test_groups_are_those_of_torch(name: str, bits: int, dithered: bool | None) -> None:
    device = device_of(name)
    values, seed = numbers(11, device), torch.tensor(SEED)
    packed, bounds = rounded.encode(values.clone(), bits, CLAIMED, 0, 3, dithered)
    with same_chances(3):
        theirs, limits = grouped.encode(values.clone(), bits, seed, 0, dithered)
        expected = grouped.decode(packed, bounds, bits, seed, 0, 0.5)
    assert torch.equal(bounds.nan_to_num(9), limits.nan_to_num(9))
    fine = ~values.isnan().any(1)
    steps = (unpack_codes(packed, bits).int() - unpack_codes(theirs, bits).int()).view(-1, GROUP)
    assert steps[fine].abs().max() <= 1
    assert float((steps[fine] != 0).float().mean()) < 0.002  # numbers that lie on a bound of r
    found = rounded.decode(packed, bounds, bits, CLAIMED, 0, 3, 0.5)
    torch.testing.assert_close(found, expected, equal_nan=True)


@every_device
def test_a_scheme_uses_them_in_several_parts(name: str) -> None:
    """And restores what it kept though kernels have been switched off."""
    device = device_of(name)
    x = torch.randn(3, 8, 5, 33, device=device)
    scheme, probing, layout = Quantized(), Probing(scheme="quantized", bits=4), Layout.of(x)
    shape = torch.Size((1,))
    sizes = {"cpu": 2 * GROUP}
    with (
        mock.patch("xconv.schemes.quantized.AT_A_TIME", sizes),
        mock.patch("xconv.schemes.quantized.AT_A_TIME_ELSEWHERE", 2 * GROUP),
    ):
        with kernels_everywhere():
            seed, *kept = scheme.keep(x, torch.tensor(SEED), probing, layout, shape, shape, None)
        ((_, rebuilt),) = scheme.rebuild(kept, seed, probing, layout)
    assert choice.is_claimed(seed) and int(seed) == int(CLAIMED)
    assert float((rebuilt - x).abs().max()) < (float(x.max() - x.min()) / 15)
    whole = rounded.decode(*kept, 4, CLAIMED, 0, 0).view(-1)[: x.numel()].view_as(x)
    assert torch.equal(rebuilt, whole)


NORMS = {
    "maps": (nn.BatchNorm2d, (6,), (3, 6, 8, 8), {}),
    "odd maps": (nn.BatchNorm2d, (5,), (4, 5, 7, 7), {}),
    "single numbers": (nn.BatchNorm1d, (6,), (300, 6), {}),
    "no weight": (nn.BatchNorm2d, (6,), (3, 6, 8, 8), {"affine": False}),
    "large maps": (nn.BatchNorm2d, (2,), (2, 2, 64, 300), {}),
    "images": (nn.InstanceNorm2d, (6,), (3, 6, 7, 9), {"affine": True}),
    "groups of channels": (nn.GroupNorm, (2, 6), (3, 6, 7, 8), {}),
}


@every_device
@pytest.mark.parametrize("case", NORMS)
@pytest.mark.parametrize("last", [False, True], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_normalised_maps(name: str, case: str, last: bool, dtype: torch.dtype) -> None:
    """Gradients are those that the same groups give part by part."""
    device = device_of(name)
    kind, arguments, shape, options = NORMS[case]
    if last and len(shape) < 4:
        pytest.skip("has no pixels")
    if dtype == torch.bfloat16 and case not in ("odd maps", "images"):
        pytest.skip("differs from others in its dtype only")
    torch.manual_seed(0)
    layer = NORMALIZATIONS[kind](*arguments, **options, norm_bits=4).to(device)  # type: ignore[call-arg]
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    layer.to(dtype)
    order = torch.channels_last if last else torch.contiguous_format
    x = (2 * torch.randn(shape, device=device) + 1).to(dtype)
    x = (x.contiguous(memory_format=order) if x.dim() == 4 else x).requires_grad_()
    deltas = torch.randn(shape, device=device).to(dtype)
    wanted = [x, *layer.parameters()]
    found = []
    with kernels_everywhere():
        for kernels in (maps._kernels, lambda kept, layout: None):
            torch.manual_seed(1)
            with mock.patch("xconv.saved.maps._kernels", kernels):
                found.append(torch.autograd.grad(layer(x), wanted, deltas))
    for ours, theirs in zip(*found, strict=True):
        assert ours.dtype == theirs.dtype and ours.stride() == theirs.stride()
        size = theirs.float().norm()
        assert float((ours.float() - theirs.float()).norm() / size) < (
            2e-5 if dtype == torch.float32 else 1e-2
        )


@every_device
def test_bytes_of_normalised_maps(name: str) -> None:
    """They are those of torch's operators from the same random numbers, in parts of any size."""
    device = device_of(name)
    x = torch.randn(4, 8, 4, 8, device=device)  # 256 numbers in an image
    mean, rstd = x.mean((0, 2, 3)), 1 / x.std((0, 2, 3))
    way, seed = maps.NormalizedMaps(8, across_batch=True), torch.tensor(SEED)
    with same_chances():
        theirs = way.keep(x, mean, rstd, seed, 4)
    for size in (2**18, 2 * GROUP):
        with (
            kernels_everywhere(),
            mock.patch.object(stand_in, "_AT_A_TIME", {"cpu": size}),
            mock.patch.object(stand_in, "_AT_A_TIME_ELSEWHERE", size),
        ):
            ours = way.keep(x, mean, rstd, seed, 4)
        torch.testing.assert_close(ours.bounds, theirs.bounds)
        steps = unpack_codes(ours.packed, 4).int() - unpack_codes(theirs.packed, 4).int()
        assert steps.abs().max() <= 1 and float((steps != 0).float().mean()) < 0.002


def test_what_they_do_not_cover() -> None:
    device_of("cpu")
    from xconv.saved import kernel_maps as by_kernels

    def covers(shape: tuple[int, ...], sizes: list[int], dtype: torch.dtype) -> bool:
        kept = stand_in.StandIn.empty(sizes, 4, torch.tensor(0), torch.empty(0))
        return by_kernels.covers(kept, Layout(torch.Size(shape), dtype, torch.device("cpu")))

    assert covers((2, 3, 5, 5), [150], torch.float32)
    assert not covers((2, 3, 5, 5), [150], torch.float64)
    assert not covers((2, 3, 5, 5), [75, 75], torch.float32)
    assert covers((2, 4, 8, 8), [256, 256], torch.float16)
    assert not covers((1, 1, 2**11, 2**10), [2**21], torch.float32)


@pytest.mark.parametrize(
    ("count", "size", "expected"), [(7, 64, 4), (5, 256, 5), (3, 3, 3), (300, 3, 256), (9, 32, 8)]
)
def test_whole_groups(count: int, size: int, expected: int) -> None:
    assert grouped.whole_groups(count, size) == expected
