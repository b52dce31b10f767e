"""Which option each layer takes: the least sum of variances in the room that there is.

A layer's options of use lie on the lower convex hull of bytes and variance. One price λ of a byte
for all layers makes the sum of variance + λ·bytes least; lowering λ from infinity raises layers one
hull step at a time, in the order of what a step gains a byte. Where there are several rooms, one
for each moment of a training step, a layer whose next step fits in no longer stays where it is,
while the others go on. What is alive at one moment of a step is, but for branches, all that ran
before: sets that contain each other, for which this order is the best one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Option(NamedTuple):
    """What a layer keeps, in bytes, and what it adds to the variance of the gradient."""

    bytes: int
    variance: float


class Room(NamedTuple):
    """How many ``bytes`` those ``layers``, by number, may keep together."""

    bytes: float
    layers: Sequence[int]


class NoRoomError(ValueError):
    """Raised where not even the smallest options fit; ``missing`` is by how many bytes."""

    def __init__(self, missing: float) -> None:
        super().__init__(f"{missing:.0f} bytes too many are kept by the smallest options")
        self.missing = missing


Options = Sequence[Sequence[Option]]


def smallest(options: Options) -> list[int]:
    """Return for each layer the number of its option of the fewest bytes."""
    return [min(range(len(some)), key=lambda i: some[i]) for some in options]


def total_variance(options: Options, chosen: Sequence[int]) -> float:
    """Return the sum over layers."""
    return sum(some[i].variance for some, i in zip(options, chosen, strict=True))


def total_bytes(options: Options, chosen: Sequence[int]) -> int:
    """Return the sum over layers."""
    return sum(some[i].bytes for some, i in zip(options, chosen, strict=True))


def choose(options: Options, rooms: Sequence[Room], enough: float = 0.0) -> list[int]:
    """Return for each layer the number of the option that it takes.

    All ``rooms`` are kept to, and no more bytes are spent once the variance is ``enough``. Raises
    NoRoomError.
    """
    chosen = smallest(options)
    space = _Space(options, rooms, chosen)
    variance = total_variance(options, chosen)
    stopped: set[int] = set()
    for _, layer, option in sorted(_steps(options), key=lambda step: -step[0]):
        if variance <= enough:
            return chosen
        if layer in stopped or not space.take(layer, _more(options, chosen, layer, option)):
            stopped.add(layer)
            continue
        variance += options[layer][option].variance - options[layer][chosen[layer]].variance
        chosen[layer] = option
    _fill(options, space, chosen, sorted(stopped))
    return chosen


def _steps(options: Options) -> list[tuple[float, int, int]]:
    """Gain a byte, layer and option of each step up a hull from the smallest option."""
    steps = []
    for layer, some in enumerate(options):
        at = smallest([some])[0]
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


def _more(options: Options, chosen: Sequence[int], layer: int, option: int) -> int:
    return options[layer][option].bytes - options[layer][chosen[layer]].bytes


def _fill(options: Options, space: _Space, chosen: list[int], layers: Sequence[int]) -> None:
    """Use what room is left by options between two hull steps."""
    for layer in layers:
        better = [
            (o.variance, i)
            for i, o in enumerate(options[layer])
            if o.variance < options[layer][chosen[layer]].variance
        ]
        for _, option in sorted(better):
            if space.take(layer, _more(options, chosen, layer, option)):
                chosen[layer] = option
                break


class _Space:
    """What is left of the rooms."""

    def __init__(self, options: Options, rooms: Sequence[Room], chosen: Sequence[int]) -> None:
        self._left = torch.tensor([room.bytes for room in rooms], dtype=torch.float64)
        self._of: list[Tensor] = [
            torch.tensor([layer in room.layers for room in rooms], dtype=torch.bool)
            for layer in range(len(options))
        ]
        for layer, option in enumerate(chosen):
            self._left[self._of[layer]] -= options[layer][option].bytes
        missing = -float(self._left.min()) if rooms else 0.0
        if missing > 0:
            raise NoRoomError(missing)

    def take(self, layer: int, more: int) -> bool:
        """Take so many bytes more for a layer, if there is room for them."""
        where = self._of[layer]
        if bool((self._left[where] < more).any()):
            return False
        self._left[where] -= more
        return True
