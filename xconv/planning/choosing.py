"""The choice of one option for each layer: least total variance within the room there is.

Only options on the lower convex hull of bytes and variance are worth taking. One price λ of a byte
for all layers minimises the sum of variance + λ·bytes; lowering λ from infinity moves layers one
hull step at a time, in the order of what a step gains per byte. With several rooms, one for each
moment of a training step, a layer whose next step no longer fits stays where it is while the others
continue. Apart from branches, what is alive at one moment of a step is everything that ran before
it: these sets contain each other, and for such sets this order is the best one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Option(NamedTuple):
    """The bytes that a layer keeps, and what it adds to the variance of the gradient."""

    bytes: int
    variance: float


class Moments(NamedTuple):
    """The room at each of several moments of a training step.

    ``room`` (moments) is in bytes. ``uses`` has for each layer the bytes that its options take of
    it, (options, moments), float64.
    """

    room: Tensor
    uses: Sequence[Tensor]


class NoRoomError(ValueError):
    """Raised if not even the smallest options fit; ``missing`` is the number of bytes too many."""

    def __init__(self, missing: float) -> None:
        super().__init__(f"{missing:.0f} bytes too many are kept by the smallest options")
        self.missing = missing


Options = Sequence[Sequence[Option]]


def smallest(options: Options) -> list[int]:
    """Return for each layer the number of its smallest option."""
    return [min(range(len(some)), key=lambda i: some[i]) for some in options]


def total_variance(options: Options, chosen: Sequence[int]) -> float:
    """Return the sum of the variances of the ``chosen`` options."""
    return sum(some[i].variance for some, i in zip(options, chosen, strict=True))


def total_bytes(options: Options, chosen: Sequence[int]) -> int:
    """Return the sum of the bytes of the ``chosen`` options."""
    return sum(some[i].bytes for some, i in zip(options, chosen, strict=True))


def at_once(options: Options, budget: float) -> Moments:
    """Return a single moment, at which all layers together may keep ``budget`` bytes."""
    uses = [torch.tensor([[o.bytes] for o in some], dtype=torch.float64) for some in options]
    return Moments(torch.tensor([budget], dtype=torch.float64), uses)


def choose(options: Options, moments: Moments, enough: float = 0.0) -> list[int]:
    """Return for each layer the number of the option to take.

    The options fit at all ``moments``, and no more bytes are spent once the variance is down to
    ``enough``. Raises NoRoomError if nothing fits.
    """
    space = _Space(moments, smallest(options))
    chosen = space.chosen
    variance = total_variance(options, chosen)
    stopped: set[int] = set()
    for _, layer, option in sorted(_steps(options, chosen), key=lambda step: -step[0]):
        if variance <= enough:
            return chosen
        before = options[layer][chosen[layer]].variance
        if layer in stopped or not space.take(layer, option):
            stopped.add(layer)
        else:
            variance += options[layer][option].variance - before
    _fill(options, space, sorted(stopped))
    return chosen


def _steps(options: Options, chosen: Sequence[int]) -> list[tuple[float, int, int]]:
    """Return gain per byte, layer and option of each hull step up from the ``chosen`` options."""
    steps = []
    for layer, (some, at) in enumerate(zip(options, chosen, strict=True)):
        while True:
            gains = [
                ((some[at].variance - o.variance) / (o.bytes - some[at].bytes), i)
                for i, o in enumerate(some)
                if o.bytes > some[at].bytes and o.variance < some[at].variance
            ]
            if not gains:
                break
            gain, at = max(gains)
            steps.append((gain, layer, at))
    return steps


def _fill(options: Options, space: _Space, layers: Sequence[int]) -> None:
    """Spend the remaining room on options between two hull steps."""
    for layer in layers:
        now = options[layer][space.chosen[layer]].variance
        better = [(o.variance, i) for i, o in enumerate(options[layer]) if o.variance < now]
        any(space.take(layer, option) for _, option in sorted(better))


class _Space:
    """The room that is left beside the ``chosen`` options."""

    def __init__(self, moments: Moments, chosen: list[int]) -> None:
        self.chosen = chosen
        self._uses = moments.uses
        self._left = moments.room.clone()
        for layer, option in enumerate(chosen):
            self._left -= self._uses[layer][option]
        self._make_room()

    def take(self, layer: int, option: int) -> bool:
        """Take another option for a layer if there is room for it, and return whether there was."""
        more = self._more(layer, option)
        if bool((self._left[more > 0] < more[more > 0]).any()):
            return False
        self._left -= more
        self.chosen[layer] = option
        return True

    def _make_room(self) -> None:
        """Change options until all fit, where options of few bytes take much room for a moment.

        Raises NoRoomError if no change of a single option helps any more.
        """
        while (missing := float(_missing(self._left))) > 0:
            after = [_missing(self._left - self._more(n, ...)) for n in range(len(self._uses))]
            layer = min(range(len(after)), key=lambda n: float(after[n].min()))
            option = int(after[layer].argmin())
            if not float(after[layer][option]) < missing:
                raise NoRoomError(-float(self._left.min()))
            self._left -= self._more(layer, option)
            self.chosen[layer] = option

    def _more(self, layer: int, option: Any) -> Tensor:
        """Return the additional room that another option takes; ``...`` stands for all options."""
        return self._uses[layer][option] - self._uses[layer][self.chosen[layer]]


def _missing(left: Tensor) -> Tensor:
    """Return the sum over moments of the bytes that are missing."""
    return left.clamp(max=0).sum(-1).neg()
