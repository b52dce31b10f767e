"""Probes are a pure function of a seed: drawn in the forward pass, drawn again in the backward.

The seed is a 0-d int64 tensor on the CPU, taken from torch's default generator, so that
``torch.manual_seed`` governs everything; reading it never waits for a device. The numbers come
from a generator of their own. So a layer moves the default generator by one draw a call, whatever
its scheme and its probes: dropout on a CPU comes out otherwise than without the layer, by that one
draw, dropout on a device does not.

Whoever runs a segment twice, as checkpoints do, must find the generator in the same places both
times. So the draw does not depend on what differs between the two runs: ``takes_seed``.

The functions that touch a generator are operators with a fake implementation: whoever traces
or simulates the layer sees tensors of the right shape and no random numbers.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from xconv.bits import pieces
from xconv.capture import refuse_capture
from xconv.spectrum.cached import cached

Draw = Callable[[Tensor, int, int, torch.dtype, torch.device], Tensor]
"""Numbers that follow from a seed and a stream: how many, of which dtype, on which device."""

SEED_LIMIT = 2**62
"""Seeds are below it: a draw of one number below this one is the draw of a seed."""

_STREAM_STEP = 0x9E3779B97F4A7C15
_SIGNATURE = "(Tensor seed, int stream, int count, ScalarType dtype, Device device) -> Tensor"


def takes_seed(weight: Tensor) -> bool:
    """Whether a probed call with ``weight`` makes a draw, where autograd records or may later on.

    One with a frozen parameter does not. A weight that was computed may require a gradient in one
    run of a segment and none in the other, the one without gradients: it takes a seed in both.
    """
    return weight.requires_grad or not isinstance(weight, nn.Parameter)


def draw_seed() -> Tensor:
    """One draw from torch's default CPU generator for a call of a layer: a 0-d int64 tensor."""
    if not torch.compiler.is_compiling():
        return _draw_seed()
    seed: Tensor = torch.ops.xconv.draw_seed(_LAST_SEED)
    _LAST_SEED.copy_(seed)
    return seed


def _draw_seed() -> Tensor:
    generator = _GENERATOR.get()
    if generator is None:  # not handed over: who looks for draws of seeds knows this operator
        return torch.randint(SEED_LIMIT, (), dtype=torch.int64, device="cpu")
    return torch.randint(SEED_LIMIT, (), dtype=torch.int64, device="cpu", generator=generator)


_GENERATOR: ContextVar[torch.Generator | None] = ContextVar("_GENERATOR", default=None)


@contextmanager
def seeds_from(generator: torch.Generator) -> Iterator[None]:
    """Inside, seeds are drawn from ``generator`` and torch's own is left alone, so that a network
    draws the same with and without us."""
    token = _GENERATOR.set(generator)
    try:
        yield
    finally:
        _GENERATOR.reset(token)


_LAST_SEED = torch.zeros((), dtype=torch.int64, device="cpu")
"""Orders the draws of a compiled program: each reads here what the one before has written.

A compiler may otherwise merge draws, exchange them, or put them off until the backward pass. The
tag tells it to restore the generator should it compute one again, for a checkpoint.
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
    """A generator for each (seed, stream); the meta device has and needs none.

    torch's generator on a CPU looks at the low 32 bits of a seed only: these depend on both.
    """
    if device.type == "meta":
        return None
    refuse_capture(device)
    mixed = (int(seed) + stream * _STREAM_STEP) % SEED_LIMIT
    return torch.Generator(device=device).manual_seed(mixed)


def _operator(draw: Draw) -> Draw:
    """``draw`` as an operator with a fake implementation."""
    name = f"xconv::{draw.__name__}"
    torch.library.define(name, _SIGNATURE)
    torch.library.impl(name, "CompositeExplicitAutograd", draw)  # wherever hooks left the seed
    torch.library.register_fake(name, _fake)
    operator: Draw = getattr(torch.ops.xconv, draw.__name__).default

    @functools.wraps(draw)
    def call(
        seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        run = draw if _is_plain(seed) else operator
        return run(seed, stream, count, dtype, device)

    return call


def _is_plain(seed: Tensor) -> bool:
    """Whether nobody traces or simulates: then there is no use for the detour by an operator."""
    watched = torch._C._len_torch_dispatch_stack() or torch.compiler.is_compiling()
    return type(seed) is Tensor and not watched


def _fake(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    return torch.empty(count, dtype=dtype, device=device)


@_operator
def random_words(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """``count`` words of random bits, of an integer dtype."""
    return _words(count, dtype, device, _generator(seed, stream, device))


@_operator
def rademacher(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """``count`` fair signs ±1, a flat tensor, exact in every dtype: one for each random bit."""
    generator = _generator(seed, stream, device)
    signs = torch.empty(count, dtype=dtype, device=device)
    places = _places(device)
    for piece in pieces(count, device):
        size = piece.stop - piece.start
        words = _words(-(-size // 64), torch.int64, device, generator)
        # Each bit of a byte in turn becomes its sign. Copied to all bits, that is -1 or 0; with
        # the last bit set, -1 or 1.
        bits = (words.view(torch.int8) * places).view(-1)[:size]
        signs[piece] = bits.bitwise_right_shift_(7).bitwise_or_(1)
    return signs


@cached
def _places(device: torch.device) -> Tensor:
    """(8, 1): what moves each bit of a byte to its sign, int8."""
    lifts = torch.arange(8, dtype=torch.int8, device=device)[:, None]
    return torch.ones_like(lifts).bitwise_left_shift_(lifts)


@_operator
def gaussian(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """``count`` standard normal numbers, a flat tensor."""
    numbers = torch.empty(count, dtype=dtype, device=device)
    return numbers.normal_(generator=_generator(seed, stream, device))


@_operator
def uniform(
    seed: Tensor, stream: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """``count`` numbers, uniform in [0, 1), a flat tensor."""
    numbers = torch.empty(count, dtype=dtype, device=device)
    return numbers.uniform_(generator=_generator(seed, stream, device))


def _words(
    count: int, dtype: torch.dtype, device: torch.device, generator: torch.Generator | None
) -> Tensor:
    words = torch.empty(count, dtype=dtype, device=device)
    return words.random_(torch.iinfo(dtype).min, None, generator=generator)


DISTRIBUTIONS: dict[str, Draw] = {"rademacher": rademacher, "gaussian": gaussian}
