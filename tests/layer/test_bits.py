"""Eight booleans to the byte, and back."""

import pytest
import torch
from geometries import DRAWN
from hypothesis import given, settings
from hypothesis import strategies as st

from xconv.bits import pack, packed_size, pieces, unpack


@settings(DRAWN, max_examples=200)
@given(st.lists(st.booleans(), max_size=70))
def test_booleans_come_back(values: list[bool]) -> None:
    mask = torch.tensor(values, dtype=torch.bool)
    packed = pack(mask)
    assert (packed.dtype, packed.numel()) == (torch.uint8, packed_size(len(values)))
    assert unpack(packed, len(values)).tolist() == values


def test_every_byte_holds_its_bits_lowest_first() -> None:
    bits = [bool(byte >> i & 1) for byte in range(256) for i in range(8)]
    assert pack(torch.tensor(bits)).tolist() == list(range(256))
    assert unpack(torch.arange(256, dtype=torch.uint8), 8 * 256).tolist() == bits


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 1), (8, 1), (9, 2), (64, 8), (65, 9)])
def test_packed_size(count: int, size: int) -> None:
    assert packed_size(count) == size


@pytest.mark.parametrize("count", [0, 1, 2**19, 2**19 + 1, 2**21 - 1])
def test_pieces_are_all_elements_in_order_and_start_at_whole_bytes(count: int) -> None:
    parts = list(pieces(count, torch.device("cpu")))
    assert [n for part in parts for n in (part.start, part.stop)] == sorted(
        n for part in parts for n in (part.start, part.stop)
    )
    assert sum(part.stop - part.start for part in parts) == count
    assert all(part.start % 8 == 0 for part in parts)
