"""Eight booleans to the byte, in plain tensor operations that run on every backend.

Eight neighbouring booleans are read as one 64-bit word. A multiplication moves bit 0 of byte i to
bit 56 + i, and a shift leaves the packed byte; no two partial products meet, so nothing carries.
The way back copies the byte into all eight bytes of a word and keeps bit i of byte i.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

_GATHER = sum(1 << 7 * j for j in range(1, 9))
_COPY = int.from_bytes(bytes([1] * 8), "little")
_SELECT = int.from_bytes(bytes(1 << i for i in range(8)), "little", signed=True)
_PIECE = {"cpu": 2**19}
_PIECE_ELSEWHERE = 2**25


def pieces(count: int, device: torch.device, shrunk: int = 1) -> Iterator[slice]:
    """Yield slices that divide ``count`` elements into pieces of whole bytes of packed bits.

    On a CPU a piece is small enough to stay in its cache; elsewhere it is small enough for its
    temporary tensors to be negligible. A larger ``shrunk`` divides the size, for callers that
    compute more bytes of each element.
    """
    size = _PIECE.get(device.type, _PIECE_ELSEWHERE) // shrunk
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def packed_size(count: int) -> int:
    """Return the number of bytes that ``count`` booleans take."""
    return (count + 7) // 8


def pack(mask: Tensor) -> Tensor:
    """Pack a flat bool tensor of n elements into ⌈n/8⌉ bytes (uint8), first element lowest.

    ``mask`` must be a tensor of its own, not a slice: its memory is read eight bytes at a time.
    """
    padding = -mask.numel() % 8
    if padding:
        mask = F.pad(mask, (0, padding))
    words = mask.view(torch.int64) * _GATHER
    return words.bitwise_right_shift_(56).to(torch.uint8)


def unpack(packed: Tensor, count: int) -> Tensor:
    """Return the first ``count`` booleans of ``packed`` (uint8), as a flat bool tensor."""
    words = packed.to(torch.int64).mul_(_COPY).bitwise_and_(_SELECT)
    return words.view(torch.uint8)[:count].ne(0)
