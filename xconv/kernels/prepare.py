"""A program that draws from a seed what a call needs: a rotation, and the kept frequencies.

Numbers come from Philox 4×32 with 10 rounds, whose key is the seed and whose counter is (number,
stream, 0, 0). (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.)

The rotation is a product of reflections, H₁H₂…H₆₄, as Stewart draws one: H_k takes a vector of 65 −
k normal numbers to a multiple of its first axis. It is uniform up to the signs of its rows, and
these make no difference: levels are symmetric, so a sign leaves Rᵀq where it is. Reflections I −
vvᵀ, all v of squared length 2, would be applied one after the other, and a GPU would wait for each.
With the v as columns of V, their product is I − VTVᵀ, T⁻¹ = I + M, where M is the part of VᵀV above
the diagonal (Schreiber and Van Loan, "A storage-efficient WY representation for products of
Householder transformations", SIAM J. Sci. Stat. Comput. 10(1), 1989). Since M⁶⁴ = 0,

    T = (I − M)(I + M²)(I + M⁴)(I + M⁸)(I + M¹⁶)(I + M³²):

thirteen products of matrices, whose float32 errors add less than 10⁻¹⁰ to the variance.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from xconv.kernels.tiles import TINY
from xconv.spectrum.rounding import GROUP

CELLS = 32
"""Places that collect the largest scale, so that not all programs write to a single one."""
WORK = GROUP * GROUP + CELLS
"""Numbers (float32) that precede the weights in what ``prepare`` returns."""
ROTATION_STREAM, SCALE_STREAM, FREQUENCY_STREAM, GROUP_STREAM = 2, 3, 4, 5

_GROUP = tl.constexpr(GROUP)
_CELLS = tl.constexpr(CELLS)
_ROTATION_STREAM = tl.constexpr(ROTATION_STREAM)
_FREQUENCY_STREAM = tl.constexpr(FREQUENCY_STREAM)
_DOUBLINGS = tl.constexpr(GROUP.bit_length() - 2)
"""Number of factors of T after the first."""


@triton.jit
def random_word(seed, number, stream):
    """Return a word (uint32) and another for each ``number`` (int32)."""
    zero = number * 0
    first, second, _, _ = tl.philox(seed, number, zero + stream, zero, zero)
    return first, second


@triton.jit
def uniform(word):
    """Return a number in [0, 1) of 24 bits, float32."""
    return (word >> 8).to(tl.int32).to(tl.float32) * (2.0**-24)


@triton.jit
def _product(x, y):
    return tl.dot(x, y, input_precision="tf32x3")


@triton.jit
def _rotation(seed):
    """Return a random rotation (GROUP, GROUP), uniform up to the signs of its rows."""
    line, column = tl.arange(0, _GROUP)[:, None], tl.arange(0, _GROUP)[None, :]
    first, second = random_word(seed, line * _GROUP + column, _ROTATION_STREAM)
    radius = tl.sqrt(-2.0 * tl.log(uniform(first) + 2.0**-25))
    normal = radius * tl.cos(6.283185307179586 * uniform(second))
    normal = tl.where(line >= column, normal, 0.0)
    size = tl.sqrt(tl.sum(normal * normal, 0))
    lead = tl.sum(tl.where(line == column, normal, 0.0), 0)
    far = size[None, :] * tl.where(line == column, tl.where(lead < 0, -1.0, 1.0)[None, :], 0.0)
    scale = tl.maximum(size * (size + tl.abs(lead)), TINY)
    v = (normal + far) / tl.sqrt(scale)[None, :]
    power = tl.where(line < column, _product(tl.trans(v), v), 0.0)
    identity = tl.where(line == column, 1.0, 0.0)
    t = identity - power
    for _ in range(_DOUBLINGS):
        power = _product(power, power)
        t += _product(t, power)
    return identity - _product(_product(v, tl.trans(t)), tl.trans(v))


@triton.jit
def _draw(seed, tables, frequencies, weights, size, kept, ROWS: tl.constexpr):
    """Draw frequencies by systematic sampling, as ``spectrum.sampling`` does."""
    row = tl.arange(0, ROWS)
    chance, _ = random_word(seed, row * 0, _FREQUENCY_STREAM)
    tick = row.to(tl.float64) + chance.to(tl.float64) * (2.0**-32)
    tick = tl.minimum(tick, kept - 1e-9)
    low, high = row * 0, row * 0 + size
    for _ in range(10):  # a binary search for the first end beyond the tick
        middle = (low + high) // 2
        is_open = low < high
        end = tl.load(tables + middle, mask=is_open, other=0.0)
        low = tl.where(is_open & (end <= tick), middle + 1, low)
        high = tl.where(is_open & (end > tick), middle, high)
    found = tl.minimum(low, size - 1)
    is_row = row < kept
    frequency = tl.load(tables + size + found)
    tl.store(frequencies + row, frequency.to(tl.int16), mask=is_row)
    weight = tl.load(tables + 2 * size + found)
    tl.store(weights + row, weight.to(tl.float32), mask=is_row)


@triton.jit(do_not_specialize=["seed", "size", "kept"])
def _prepare(
    seed, tables, frequencies, work, size, kept, ROWS: tl.constexpr, DRAW: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    seed = seed.to(tl.int64)
    line = tl.arange(0, _GROUP)
    turn = _rotation(seed)
    if PRECISION == "tf32":  # every use of the rotation must have the same numbers
        turn = turn.to(tl.float16).to(work.dtype.element_ty)
    tl.store(work + line[:, None] * _GROUP + line[None, :], turn)
    if DRAW:
        rest = work + _GROUP * _GROUP
        tl.store(rest + tl.arange(0, _CELLS), tl.zeros((_CELLS,), tl.float32))
        _draw(seed, tables, frequencies, rest + _CELLS, size, kept, ROWS)


def prepare(seed: int, tables: Tensor, kept: int, precision: str) -> tuple[Tensor, Tensor]:
    """Return the ``kept`` frequencies (int16) and a flat float32 tensor of what sketching needs.

    The tensor holds a rotation (GROUP, GROUP), zeros for the ``CELLS``, and 1/p of each frequency.
    ``tables`` (3n, float64) are the cumulative probabilities of a plan's frequencies, these
    frequencies, and 1/p of each. For products in TF32 the rotation is rounded to numbers that
    float16 holds.
    """
    frequencies = torch.empty(kept, dtype=torch.int16, device=tables.device)
    work = torch.empty(WORK + kept, dtype=torch.float32, device=tables.device)
    rows = 1 << (kept - 1).bit_length()
    size = tables.numel() // 3
    _prepare[(1,)](seed, tables, frequencies, work, size, kept, rows, True, precision, num_warps=8)
    return frequencies, work


def rotation(seed: int, device: torch.device, precision: str) -> Tensor:
    """Return the rotation (GROUP, GROUP) that ``prepare`` drew from ``seed``.

    It is float16 for products in TF32, else float32.
    """
    dtype = torch.float16 if precision == "tf32" else torch.float32
    turn = torch.empty(GROUP, GROUP, dtype=dtype, device=device)
    _prepare[(1,)](seed, turn, turn, turn, 0, 0, 1, False, precision, num_warps=8)
    return turn
