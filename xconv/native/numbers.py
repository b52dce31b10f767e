"""Random numbers from a seed: those of torch's generator on a CPU, bit for bit."""

import torch
from torch import Tensor

from xconv.bits import pieces
from xconv.native.calling import Library

_CPU = torch.device("cpu")
SIGNS_OF_A_PIECE = next(pieces(2**62, _CPU)).stop
"""Number of signs that are made of consecutive words."""
_FUNCTIONS = {torch.int32: "words_of_32_bits", torch.int64: "words_of_64_bits"}
_TRIED_SEED, _TRIED_COUNT = 20_240_229, 1_000


def words(library: Library, seed: int, count: int, dtype: torch.dtype) -> Tensor | None:
    """Return ``count`` words of random bits, flat; None unless ``dtype`` is int32 or int64."""
    if dtype not in _FUNCTIONS:
        return None
    found = torch.empty(count, dtype=dtype, device=_CPU)
    library.run(_FUNCTIONS[dtype], found, count, seed)
    return found


def uniform(library: Library, seed: int, count: int, dtype: torch.dtype) -> Tensor | None:
    """Return ``count`` numbers in [0, 1), flat; None unless ``dtype`` is float32."""
    if dtype != torch.float32:
        return None
    found = torch.empty(count, dtype=dtype, device=_CPU)
    library.run("uniform", found, count, seed)
    return found


def chances(library: Library, seed: int, count: int, dtype: torch.dtype) -> Tensor | None:
    """Return ``count`` numbers to round by, flat; None unless ``dtype`` is float32."""
    if dtype != torch.float32:
        return None
    found = torch.empty(count, dtype=dtype, device=_CPU)
    library.run("chances", found, count, seed)
    return found


def rademacher(library: Library, seed: int, count: int, dtype: torch.dtype) -> Tensor | None:
    """Return ``count`` fair signs, flat; None unless ``dtype`` is float32."""
    if dtype != torch.float32:
        return None
    signs = torch.empty(count, dtype=dtype, device=_CPU)
    bits = torch.empty(-(-count // 64), dtype=torch.int64, device=_CPU)
    library.run("random_signs", signs, count, SIGNS_OF_A_PIECE, bits, seed)
    return signs


def narrow(library: Library, values: Tensor, seed: int) -> Tensor:
    """Return ``values`` (float32, contiguous) in bfloat16, rounded at random."""
    found = torch.empty_like(values, dtype=torch.bfloat16)
    library.run("narrow_numbers", found, values, values.numel(), seed)
    return found


def are_torchs(library: Library) -> bool:
    """Return whether these are the numbers of the torch that is installed.

    Whoever keeps by operators and restores by kernels relies on it.
    """
    pairs = [
        (words(library, _TRIED_SEED, _TRIED_COUNT, dtype), _torchs_words(dtype))
        for dtype in _FUNCTIONS
    ]
    room = torch.empty(_TRIED_COUNT, dtype=torch.float32, device=_CPU)
    theirs = room.uniform_(generator=_generator())
    pairs.append((uniform(library, _TRIED_SEED, _TRIED_COUNT, torch.float32), theirs))
    return all(ours is not None and torch.equal(ours, theirs) for ours, theirs in pairs)


def _torchs_words(dtype: torch.dtype) -> Tensor:
    room = torch.empty(_TRIED_COUNT, dtype=dtype, device=_CPU)
    return room.random_(torch.iinfo(dtype).min, None, generator=_generator())


def _generator() -> torch.Generator:
    return torch.Generator(_CPU).manual_seed(_TRIED_SEED)
