"""References for kernels: the same with torch's operators, from the same random numbers.

Without a GPU kernels run in Triton's interpreter, on tensors of the CPU.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cuda_cases import tf32
from torch import Tensor
from turned_groups import given_back

from xconv.layout import Layout, is_channels_last
from xconv.packing import unpack_codes
from xconv.spectrum.blocks import blocks_of, by_frequency, inverse_transform, places, transform
from xconv.spectrum.plan import BITS, BlockPlan, Contribution, divide, most_bits, nominal_importance
from xconv.spectrum.rounding import (
    GROUP,
    SCALE_BITS,
    decode_scales,
    encode,
    encode_scales,
)

SEED = 2**61 + 12345
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def device_of(name: str) -> torch.device:
    """Return the device, or skip: an interpreted kernel takes no tensors of a GPU, a compiled one
    no others."""
    triton = pytest.importorskip("triton", reason="needs Triton")
    if name == "cpu" and torch.cuda.is_available():
        pytest.skip("kernels are compiled here")
    if (
        name == "cpu"
        and _version(triton.__version__) < (3, 9)
        and _version(np.__version__) >= (2, 4)
    ):
        pytest.skip("the interpreter of Triton before 3.9 does not run with NumPy 2.4")
    return torch.device(name)


def _version(words: str) -> tuple[int, ...]:
    return tuple(int(word) for word in words.split(".")[:2])


@contextmanager
def exact_products() -> Iterator[None]:
    """Inside, products are not rounded to TF32."""
    with tf32(False):
        yield


@contextmanager
def kernels_everywhere() -> Iterator[None]:
    """Inside, layers on a CPU use kernels too."""
    with mock.patch("xconv.kernels.choice.may_be_used", lambda device: True):
        yield


def philox(seed: int, numbers: Tensor, stream: int) -> tuple[Tensor, Tensor]:
    """Return the first two of ``philox_words``."""
    first, second, _, _ = philox_words(seed, numbers, stream)
    return first, second


def philox_words(seed: int, numbers: Tensor, stream: int) -> list[Tensor]:
    """Return the four words, int64, of Philox 4×32 with 10 rounds for each of ``numbers``."""
    low = 2**32 - 1
    counter = [numbers.long(), torch.full_like(numbers, stream).long()]
    counter += [torch.zeros_like(counter[0])] * 2
    keys = [seed & low, seed >> 32]
    for _ in range(10):
        first, second = _product(0xD2511F53, counter[0]), _product(0xCD9E8D57, counter[2])
        counter = [
            second[0] ^ counter[1] ^ keys[0], second[1], first[0] ^ counter[3] ^ keys[1], first[1]
        ]  # fmt: skip
        keys = [(keys[0] + 0x9E3779B9) & low, (keys[1] + 0xBB67AE85) & low]
    return counter


def _product(factor: int, words: Tensor) -> tuple[Tensor, Tensor]:
    """Upper and lower word of a product of words, which int64 does not hold."""
    low, high = words & 0xFFFF, words >> 16
    under, over = factor * low, factor * high
    carried = over + (under >> 16)
    return carried >> 16, ((carried & 0xFFFF) << 16) | (under & 0xFFFF)


def normal_numbers(seed: int) -> Tensor:
    """Return what the rotation of ``seed`` is made of: (GROUP, GROUP), float32."""
    first, second = philox(seed, torch.arange(GROUP * GROUP), 2)
    radius = (-2 * (uniform(first) + 2**-25).log()).sqrt()
    return (radius * (2 * math.pi * uniform(second)).cos()).view(GROUP, GROUP)


def reflected(normal: Tensor) -> Tensor:
    """Return rotations (..., GROUP, GROUP) that ``normal`` numbers decide, one reflection after
    the other."""
    turn = torch.eye(GROUP, dtype=normal.dtype).expand(normal.shape)
    for place in range(GROUP):
        mirror = normal[..., place].clone()
        mirror[..., :place] = 0
        lead = mirror[..., place].clone()
        mirror[..., place] += torch.where(lead < 0, -1, 1) * mirror.norm(dim=-1)
        mirror /= mirror.norm(dim=-1, keepdim=True)
        turn = turn - 2 * mirror[..., :, None] * (mirror[..., None, :] @ turn)
    return turn


def uniform(words: Tensor) -> Tensor:
    """Return what kernels make of words: 24 bits in [0, 1), float32."""
    return (words >> 8).float() * 2**-24


@dataclass(frozen=True)
class Input:
    """An input, how it lies, and a plan for it."""

    values: Tensor
    bits: float
    steepness: float = 1.0

    @classmethod
    def smooth(
        cls,
        shape: tuple[int, ...],
        bits: float,
        last: bool,
        dtype: torch.dtype,
        device: str,
        steepness: float = 1.0,
    ) -> "Input":
        """One with a spectrum, drawn on the CPU."""
        values = torch.randn(shape, generator=torch.Generator().manual_seed(1)).cumsum(-1) + 1
        if last:
            values = values.movedim(1, -1).contiguous().movedim(-1, 1)
        return cls(values.to(device, dtype), bits, steepness)

    @property
    def layout(self) -> Layout:
        """Return how it lies."""
        return Layout.of(self.values)

    @property
    def plan(self) -> BlockPlan:
        """One for natural images, or for such as have a steeper spectrum."""
        blocks = blocks_of(tuple(self.values.shape[2:]))
        importance = nominal_importance(blocks) ** self.steepness
        most = most_bits(self.values.dtype)
        part = Contribution(importance, blocks.number, math.prod(blocks.pixels), most_bits=most)
        return divide([part], self.bits)[0]

    def coefficients(self, frequencies: Tensor) -> Tensor:
        """(kept, columns), float32, columns in the order of kernels."""
        blocks = blocks_of(tuple(self.values.shape[2:]))
        batch, channels = self.values.shape[:2]
        lines = transform(self.values.float().reshape(-1, *blocks.pixels), blocks)
        found = by_frequency(lines, blocks)[places(frequencies, blocks)]
        found = found.reshape(len(frequencies), batch, channels, blocks.number)
        return (found.transpose(2, 3) if is_channels_last(self.values) else found).flatten(1)

    def pixels(self, frequencies: Tensor, columns: Tensor) -> Tensor:
        """The way back: maps (batch, channels, *pixels), float32."""
        blocks = blocks_of(tuple(self.values.shape[2:]))
        batch, channels = self.values.shape[:2]
        if is_channels_last(self.values):
            columns = columns.view(len(columns), batch, -1, channels).transpose(2, 3)
        pairs = [n for pair in zip(blocks.counts, blocks.sides, strict=True) for n in pair]
        lines = columns.new_zeros(batch * channels, *pairs)
        target = by_frequency(lines, blocks)
        where = places(frequencies, blocks)
        target[where] = columns.reshape(len(columns), *target.shape[len(blocks.sides) :])
        return inverse_transform(lines, blocks).reshape(self.values.shape)


def reference_bytes(
    columns: Tensor, counts: tuple[int, ...], turn: Tensor, chances: Tensor
) -> Tensor:
    """Return codes, scales and the largest scale of weighted ``columns``, by torch."""
    padded = F.pad(columns, (0, -columns.shape[1] % GROUP))
    codes, sizes = [], []
    for bits, rows in zip(BITS, padded.split(list(counts)), strict=True):
        packed, scales = encode(rows.reshape(-1, GROUP), bits, turn)
        codes.append(packed)
        sizes.append(scales)
    largest = torch.cat(sizes).max()
    rounded = []
    for bits, own, random in zip(BITS, sizes, chances.split([len(s) for s in sizes]), strict=True):
        with mock.patch("xconv.spectrum.rounding.uniform", lambda *_, random=random: random):
            rounded.append(encode_scales(own, largest, torch.tensor(0), SCALE_BITS[bits]))
    return torch.cat([*codes, *rounded, largest.view(1).view(torch.uint8)])


def numbers_of(packed: Tensor, bits: int) -> Tensor:
    """Return the numbers, int32, of 8 or 16 bits that these bytes are."""
    return packed.int() if bits == 8 else packed.clone().view(torch.int16).int()


def codes_of(packed: Tensor, counts: tuple[int, ...], groups: int) -> list[Tensor]:
    """Return the numbers, int32, that the codes of each class are."""
    sizes = [count * groups * GROUP * bits // 8 for bits, count in zip(BITS, counts, strict=True)]
    classes = zip(BITS, packed[: sum(sizes)].split(sizes), strict=True)
    return [numbers_of(own, 16) if b == 16 else unpack_codes(own, b).int() for b, own in classes]


def scales_of(packed: Tensor, counts: tuple[int, ...], groups: int) -> list[Tensor]:
    """Return the bytes of the scales of each class, of so many ``groups`` a frequency."""
    sizes = [
        count * groups * SCALE_BITS[bits] // 8 for bits, count in zip(BITS, counts, strict=True)
    ]
    return list(packed[-4 - sum(sizes) : -4].split(sizes))


def compare_bytes(
    own: Tensor, theirs: Tensor, counts: tuple[int, ...], groups: int, is_exact: bool
) -> None:
    """A kernel takes the norm before it turns, and half dtypes multiply in TF32: numbers and scales
    that are nearly between two levels come out otherwise, those of small coefficients more so."""
    assert own.shape == theirs.shape
    classes = zip(codes_of(own, counts, groups), codes_of(theirs, counts, groups), strict=True)
    for bits, (found, expected) in zip(BITS, classes, strict=True):
        if found.numel():
            assert int((found - expected).abs().max()) <= (1 if is_exact or bits < 8 else 2)
            allowed = 1e-3 if bits <= 8 else 5e-2
            share = float((found != expected).float().mean())
            assert share <= (allowed if is_exact else 0.2)
    pairs = zip(scales_of(own, counts, groups), scales_of(theirs, counts, groups), strict=True)
    for bits, (found, expected) in zip(BITS, pairs, strict=True):
        if found.numel():
            width = SCALE_BITS[bits]
            steps = (numbers_of(found, width) - numbers_of(expected, width)).abs()
            # One number that is rounded otherwise moves a scale of 16 bits by up to 12 levels.
            assert int(steps.max()) <= {8: 1, 16: 16}[width] * (1 if is_exact else 4)
            if is_exact or width == 8:
                allowed = 0.05 if is_exact and width == 8 else 0.2  # 16 bits are as fine as float32
                assert float((steps != 0).float().mean()) <= allowed
    largest = (tail[-4:].clone().view(torch.float32) for tail in (own, theirs))
    torch.testing.assert_close(*largest, rtol=1e-5 if is_exact else 3e-3, atol=0)


def reference_columns(
    packed: Tensor, counts: tuple[int, ...], turn: Tensor, columns: int
) -> Tensor:
    """Return (kept, columns), float32: what bytes stand for, by torch."""
    groups = math.ceil(columns / GROUP)
    largest = packed[-4:].clone().view(torch.float32)
    rows, byte = [], 0
    scales = scales_of(packed, counts, groups)
    for bits, count, own in zip(BITS, counts, scales, strict=True):
        code = packed[byte : byte + count * groups * GROUP * bits // 8]
        sizes = decode_scales(own, largest, SCALE_BITS[bits])
        rows.append(given_back(code, sizes, bits, turn).view(count, groups * GROUP)[:, :columns])
        byte += len(code)
    return torch.cat(rows)
