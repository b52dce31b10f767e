"""Whole numbers of 1 to 8 bits come back as they were, in as many bits as they have."""

import pytest
import torch
from geometries import DRAWN
from hypothesis import given, settings
from hypothesis import strategies as st

from xconv.packing import pack_codes, unpack_codes

ALL_BITS = range(1, 9)


@settings(DRAWN, max_examples=100)
@given(st.integers(1, 8), st.data())
def test_numbers_come_back(bits: int, data: st.DataObject) -> None:
    numbers = st.lists(st.integers(0, 2**bits - 1), min_size=8, max_size=8)
    words = data.draw(st.lists(numbers, min_size=1, max_size=6))
    codes = torch.tensor(words, dtype=torch.uint8).view(-1)
    packed = pack_codes(codes, bits)
    assert (packed.dtype, packed.numel()) == (torch.uint8, len(codes) * bits // 8)
    assert packed.untyped_storage().nbytes() <= max(8, packed.numel())
    assert unpack_codes(packed, bits).equal(codes)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_every_number_in_every_place(bits: int) -> None:
    """Beside zeros and beside the largest: a bit that strays into a neighbour would show."""
    largest = 2**bits - 1
    for neighbour in (0, largest):
        for place in range(8):
            codes = torch.full((2**bits, 8), neighbour, dtype=torch.uint8)
            codes[:, place] = torch.arange(2**bits)
            assert unpack_codes(pack_codes(codes.view(-1), bits), bits).equal(codes.view(-1))


@pytest.mark.parametrize("bits", ALL_BITS)
def test_nothing_is_nothing(bits: int) -> None:
    empty = torch.empty(0, dtype=torch.uint8)
    assert pack_codes(empty, bits).numel() == unpack_codes(empty, bits).numel() == 0


@pytest.mark.parametrize("bits", ALL_BITS)
def test_a_part_of_a_larger_tensor_is_unpacked(bits: int) -> None:
    """As sketches are: one tensor holds the codes of several classes, one after the other."""
    codes = torch.randint(2**bits, (64,), dtype=torch.uint8)
    packed = torch.cat([torch.full((3,), 255, dtype=torch.uint8), pack_codes(codes, bits)])
    assert unpack_codes(packed[3:], bits).equal(codes)
