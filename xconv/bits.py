"""Eight booleans to the byte, in plain tensor operations that run on every backend.

Eight neighbouring booleans are read as one 64-bit word. A multiplication moves bit 0 of byte i to
bit 56 + i, and a shift leaves the packed byte; no two partial products meet, so nothing carries.
The way back copies the byte into all eight bytes of a word and keeps bit i of byte i.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

_GATHER = sum(1 << 7 * j for j in range(1, 9))
_COPY = int.from_bytes(bytes([1] * 8), "little")
_SELECT = int.from_bytes(bytes(1 << i for i in range(8)), "little", signed=True)


def packed_size(count: int) -> int:
    """Bytes that ``count`` booleans take."""
    return (count + 7) // 8


def pack(mask: Tensor) -> Tensor:
    """Pack a flat bool tensor of n elements into ⌈n/8⌉ bytes (uint8), first element lowest."""
    padding = -mask.numel() % 8
    if padding:
        mask = F.pad(mask, (0, padding))
    words = mask.view(torch.int64) * _GATHER
    return words.bitwise_right_shift_(56).to(torch.uint8)


def unpack(packed: Tensor, count: int) -> Tensor:
    """The first ``count`` booleans of ``packed`` (uint8), as a flat bool tensor."""
    words = packed.to(torch.int64).mul_(_COPY).bitwise_and_(_SELECT)
    return words.view(torch.uint8)[:count].ne(0)
