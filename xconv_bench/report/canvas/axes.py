"""Divide axes so that people can read them, logarithmic ones above all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEPS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
"""Ticks within a factor of ten, ever closer."""

_FEWEST_TICKS = 3
_STRAIGHT_TICKS = 5
"""About so many, evenly spaced, where the axis is so short that it is nearly linear."""

_MOST_COUNTS_LABELLED = 6
_MARGIN = 1.25
_ROOM_FOR_WORDS = 0.08


@dataclass(frozen=True)
class Axis:
    """Describe an axis: its name, its two ends, and its ticks with their words.

    Ends and ticks are matplotlib's choice where they are None; ``look`` is how the words look.
    """

    name: str = ""
    ends: tuple[float, float] | None = None
    ticks: Mapping[float, str] | None = None
    is_logarithmic: bool = False
    has_grid: bool = False
    has_line: bool = True
    look: Mapping[str, Any] = field(default_factory=dict)

    def divide(self, axes: Axes, which: Literal["x", "y"]) -> None:
        """Make ``which`` axis of a panel this one; its name is left to who places the panel."""
        axis = axes.xaxis if which == "x" else axes.yaxis
        if self.is_logarithmic:
            axes.set(**{f"{which}scale": "log"})
        if self.ends is not None:
            axes.set(**{f"{which}lim": self.ends})
        if self.ticks is not None:
            axis.set_ticks(list(self.ticks), list(self.ticks.values()), **self.look)
            axis.minorticks_off()
        if self.has_grid:
            axes.grid(axis=which)
        if not self.has_line:
            axes.spines["bottom" if which == "x" else "left"].set_visible(False)
            axis.set_tick_params(length=0)


def logarithmic(name: str, values: Iterable[float], unit: float = 1.0) -> Axis:
    """Return an axis that holds all ``values`` that have a place on it, with ticks in ``unit``."""
    placed = [value / unit for value in values if value > 0 and isfinite(value)]
    low, high = min(placed, default=1.0) / _MARGIN, max(placed, default=1.0) * _MARGIN
    ticks = {tick: _plain(tick) for tick in _ticks(low, high)}
    return Axis(name, (low, high), ticks, is_logarithmic=True, has_grid=True)


def named(name: str, names: Sequence[str], is_downwards: bool = False, **look: Any) -> Axis:
    """Return an axis with names one after the other, and no line."""
    low, high = -0.5, len(names) - 0.5
    ends = (high, low) if is_downwards else (low, high)
    return Axis(name, ends, dict(enumerate(names)), has_line=False, look=look)


def counted(name: str, counts: Iterable[float]) -> Axis:
    """Return a logarithmic axis with a tick at each count, labelled where there is room."""
    ticks = sorted({int(count) for count in counts})
    every = ceil(len(ticks) / _MOST_COUNTS_LABELLED)
    margin = max(_MARGIN, (ticks[-1] / ticks[0]) ** _ROOM_FOR_WORDS)
    labels: dict[float, str] = {
        tick: str(tick) if i % every == 0 else "" for i, tick in enumerate(ticks)
    }
    return Axis(name, (ticks[0] / margin, ticks[-1] * margin), labels, is_logarithmic=True)


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two bounds.

    >>> _ticks(0.8, 150), _ticks(2500, 5300)
    ([1.0, 10.0, 100.0], [2500.0, 3000.0, 3500.0, 4000.0, 4500.0, 5000.0])
    """
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    for steps in _STEPS:
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) >= _FEWEST_TICKS:
            return inside
    rough = (high - low) / _STRAIGHT_TICKS
    power = 10.0 ** floor(log10(rough))
    gap = min((factor * power for factor in (1, 2, 5, 10)), key=lambda gap: abs(gap - rough))
    return [gap * number for number in range(ceil(low / gap), floor(high / gap) + 1)]


def _plain(value: float) -> str:
    """Write a number in up to six digits.

    >>> _plain(0.30000000000000004), _plain(2000.0), _plain(1e-5)
    ('0.3', '2000', '1e-05')
    """
    return f"{value:.6g}"
