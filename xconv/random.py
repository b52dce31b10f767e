"""Random numbers as a pure function of a seed: drawn in the forward pass, again in the backward.

The seed is a 0-d int64 tensor on the CPU, drawn from torch's default generator, so that
``torch.manual_seed`` governs everything; reading it never waits for a device. The numbers come from
a generator of their own. A layer therefore advances the default generator by one draw per call,
whatever its scheme and its number of probes. On a CPU that one draw changes later dropout masks; on
a device it does not.

Checkpoints run a segment twice and need the generator in the same state both times, so whether a
seed is drawn depends only on what is the same in both runs: see ``takes_seed``.

Functions that touch a generator are operators with a fake implementation: tracers and simulations
see tensors of the right shape and no random numbers.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from xconv.bits import pieces
from xconv.cached import cached
from xconv.capture import refuse_capture
from xconv.native import numbers
from xconv.native.calling import Library
from xconv.native.library import library_for
from xconv.watching import is_unwatched

Draw = Callable[[Tensor, int, int, torch.dtype, torch.device], Tensor]
"""A function that returns random numbers for a seed, a stream, a count, a dtype and a device."""

Kernel = Callable[[Library, int, int, torch.dtype], Tensor | None]
"""A function that returns the numbers of a draw for a generator's seed, or None for some dtypes."""

SEED_LIMIT = 2**62
"""The exclusive upper bound of seeds; a draw of one number below it is the draw of a seed."""

_STREAM_STEP = 0x9E3779B97F4A7C15
_SIGNATURE = "(Tensor seed, int stream, int count, ScalarType dtype, Device device) -> Tensor"


def takes_seed(weight: Tensor) -> bool:
    """Return whether a probed call with ``weight`` draws a seed when it is, or may be, recorded.

    A call with a frozen parameter draws none. A computed weight may require a gradient in one run
    of a checkpointed segment and not in the other, so a call with one draws a seed in both.
    """
    return weight.requires_grad or not isinstance(weight, nn.Parameter)


def draw_seed() -> Tensor:
    """Draw a 0-d int64 tensor from torch's default CPU generator, for one call of a layer."""
    if not torch.compiler.is_compiling():
        return _draw_seed()
    seed: Tensor = torch.ops.xconv.draw_seed(_LAST_SEED)
    _LAST_SEED.copy_(seed)
    return seed


def _draw_seed() -> Tensor:
    generator = _GENERATOR.get()
    if generator is None:  # no generator argument: programs that look for draws know this call
        return torch.randint(SEED_LIMIT, (), dtype=torch.int64, device="cpu")
    return torch.randint(SEED_LIMIT, (), dtype=torch.int64, device="cpu", generator=generator)


_GENERATOR: ContextVar[torch.Generator | None] = ContextVar("_GENERATOR", default=None)


@contextmanager
def seeds_from(generator: torch.Generator) -> Iterator[None]:
    """Draw seeds from ``generator`` inside the context, and leave torch's own generator alone.

    A network then draws the same numbers with and without our layers.
    """
    token = _GENERATOR.set(generator)
    try:
        yield
    finally:
        _GENERATOR.reset(token)


_LAST_SEED = torch.zeros((), dtype=torch.int64, device="cpu")
"""The seed drawn last in a compiled program.

Each draw reads it and overwrites it, which fixes their order: a compiler could otherwise merge
draws, exchange them, or delay them until the backward pass. The tag of the operator makes it
restore the generator before it repeats a draw for a checkpoint.
"""

torch.library.define(
    "xconv::draw_seed", "(Tensor last) -> Tensor", tags=torch.Tag.nondeterministic_seeded
)


@torch.library.impl("xconv::draw_seed", "cpu")
def _(last: Tensor) -> Tensor:
    return _draw_seed()


@torch.library.register_fake("xconv::draw_seed")
def _(last: Tensor) -> Tensor:
    return torch.empty((), dtype=torch.int64, device="cpu")


def _generator(seed: Tensor, stream: int, device: torch.device) -> torch.Generator | None:
    """Return a generator for (seed, stream), or None on the meta device, which needs none.

    torch's CPU generator reads only the low 32 bits of a seed, so these depend on both.
    """
    if device.type == "meta":
        return None
    refuse_capture(device)
    return torch.Generator(device=device).manual_seed(mixed(seed, stream))


def mixed(seed: Tensor, stream: int) -> int:
    """Return the seed of the generator for (seed, stream)."""
    return (int(seed) + stream * _STREAM_STEP) % SEED_LIMIT


def _operator(kernel: Kernel | None = None) -> Callable[[Draw], Draw]:
    """Return a decorator that registers a draw as an operator with a fake implementation.

    It returns the operator's caller. Where it may, the ``kernel`` draws the same numbers.
    """

    def register(draw: Draw) -> Draw:
        @functools.wraps(draw)
        def run(
            seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
        ) -> Tensor:
            found = None
            library = library_for(seed) if device.type == "cpu" else None
            if kernel is not None and library is not None:
                found = kernel(library, mixed(seed, stream), count, dtype)
            return draw(seed, stream, count, dtype, device) if found is None else found

        name = f"xconv::{draw.__name__}"
        torch.library.define(name, _SIGNATURE)
        torch.library.impl(name, "CompositeExplicitAutograd", run)  # hooks may move the seed
        torch.library.register_fake(name, _fake)
        operator: Draw = getattr(torch.ops.xconv, draw.__name__).default

        @functools.wraps(draw)
        def call(
            seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
        ) -> Tensor:
            draws = run if is_unwatched(seed) else operator
            return draws(seed, stream, count, dtype, device)

        return call

    return register


def _fake(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    return torch.empty(count, dtype=dtype, device=device)


@_operator(numbers.words)
def random_words(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return ``count`` words of random bits, of an integer dtype."""
    return _words(count, dtype, device, _generator(seed, stream, device))


@_operator(numbers.rademacher)
def rademacher(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return ``count`` fair signs ±1, each from one random bit, as a flat tensor.

    Signs are exact in every dtype.
    """
    generator = _generator(seed, stream, device)
    signs = torch.empty(count, dtype=dtype, device=device)
    places = _places(device)
    for piece in pieces(count, device):
        size = piece.stop - piece.start
        words = _words(-(-size // 64), torch.int64, device, generator)
        # Each bit of a byte in turn becomes its sign bit. Shifting it to all bits gives -1 or 0,
        # and setting the last bit gives -1 or 1.
        bits = (words.view(torch.int8) * places).view(-1)[:size]
        signs[piece] = bits.bitwise_right_shift_(7).bitwise_or_(1)
    return signs


@cached
def _places(device: torch.device) -> Tensor:
    """Return factors (8, 1), int8, that shift each bit of a byte to the byte's sign."""
    lifts = torch.arange(8, dtype=torch.int8, device=device)[:, None]
    return torch.ones_like(lifts).bitwise_left_shift_(lifts)


@_operator()
def gaussian(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return ``count`` standard normal numbers as a flat tensor."""
    numbers = torch.empty(count, dtype=dtype, device=device)
    return numbers.normal_(generator=_generator(seed, stream, device))


@_operator(numbers.uniform)
def uniform(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return ``count`` numbers, uniform in [0, 1), as a flat tensor."""
    numbers = torch.empty(count, dtype=dtype, device=device)
    return numbers.uniform_(generator=_generator(seed, stream, device))


@_operator(numbers.chances)
def chances(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return ``count`` numbers to round by, uniform on the multiples of 2⁻²⁴ in [0, 1), flat.

    ``dtype`` is float32 or wider. A number r = k 2⁻¹⁶ + u 2⁻²⁴ has 16 bits k of its own, and 8 bits
    u that it shares with the other numbers of its 256. Each number alone is therefore as uniform as
    one of 24 own bits: ⌊v + r⌋ has the same mean. Given u the mean of its error is at most 2⁻¹⁶
    instead of 0, so that two errors of the same 256 have a covariance of at most 2⁻³², beside
    variances of 1/12: all 256 of them together are less than float32 rounds away.
    """
    size = -(-count // _SHARERS) * _WORDS_OF_SHARERS
    words = _words(size, torch.int64, device, _generator(seed, stream, device))
    words = words.view(-1, _WORDS_OF_SHARERS)
    shared = words[:, :1].bitwise_and(2**8 - 1).to(dtype).mul_(2.0**-24).add_(0.5)
    own = words[:, 1:].view(torch.int16).unflatten(1, (-1, 4)).mT  # lowest bits of all words first
    own = own.bitwise_xor(-(2**15)).to(dtype).mul_(2.0**-16)  # from -1/2 to 1/2
    return own.add_(shared[:, :, None]).reshape(-1)[:count]


_SHARERS = 256
_WORDS_OF_SHARERS = 1 + _SHARERS // 4
"""Words of 64 bits for numbers that share bits: one for these, one for each four."""


def _words(
    count: int, dtype: torch.dtype, device: torch.device, generator: torch.Generator | None
) -> Tensor:
    words = torch.empty(count, dtype=dtype, device=device)
    return words.random_(torch.iinfo(dtype).min, None, generator=generator)


DISTRIBUTIONS: dict[str, Draw] = {"rademacher": rademacher, "gaussian": gaussian}
