"""Numbers of 1 to 8 bits come out of their bytes as they went in."""

import pytest
import torch
from geometries import DRAWN
from hypothesis import given
from hypothesis import strategies as st

from xconv.spectrum.packing import pack_codes, unpack_codes

every_width = pytest.mark.parametrize("bits", range(1, 9), ids=lambda n: f"{n} bits")


@every_width
def test_every_number_in_every_place(bits: int) -> None:
    """One number after the other in each of eight places, the rest zeros or ones."""
    numbers = torch.arange(2**bits, dtype=torch.uint8)
    for background in (0, 2**bits - 1):
        codes = torch.full((8, 2**bits, 8), background, dtype=torch.uint8)
        for place in range(8):
            codes[place, :, place] = numbers
        codes = codes.view(-1)
        packed = pack_codes(codes, bits)
        assert packed.dtype == torch.uint8 and packed.shape == (codes.numel() * bits // 8,)
        assert torch.equal(unpack_codes(packed, bits), codes)


@DRAWN
@given(st.data(), st.integers(1, 8))
def test_any_numbers(data: st.DataObject, bits: int) -> None:
    eights = st.lists(st.integers(0, 2**bits - 1), min_size=8, max_size=8)
    rows = data.draw(st.lists(eights, max_size=6))
    codes = torch.tensor([n for row in rows for n in row], dtype=torch.uint8)
    before = codes.clone()
    assert torch.equal(unpack_codes(pack_codes(codes, bits), bits), before)
    assert torch.equal(codes, before)


@every_width
def test_bits_do_not_reach_other_bytes(bits: int) -> None:
    """Each eight numbers have bytes of their own: changing some leaves all other bytes."""
    codes = torch.zeros(24, dtype=torch.uint8)
    changed = codes.clone()
    changed[8:16] = 2**bits - 1
    different = (pack_codes(codes, bits) != pack_codes(changed, bits)).nonzero().view(-1)
    assert different.tolist() == list(range(bits, 2 * bits))
