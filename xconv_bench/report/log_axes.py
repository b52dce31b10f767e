"""Logarithmic axes that people can read, with a place for what is zero."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10, sqrt
from typing import TYPE_CHECKING, Any, Literal

from xconv_bench.report import style
from xconv_bench.report.style import Stroke

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float, float]
"""Where it lies, x and y, and the standard error of y."""

_STEPS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
"""Ticks within a factor of ten, ever closer."""

_FEWEST_TICKS = 3
_STRAIGHT_TICKS = 5
"""About so many, evenly spaced, where the axis is so short that it is nearly linear."""

_MOST_PROBES_LABELS = 6
_MARGIN = 1.25
_ROOM_FOR_WORDS = 0.08
_WORD_SHARE, _LINE_SHARE = 0.06, 0.04
"""Of the width and the height of a panel across the page, what a word takes."""
_PAPER = {"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
"""Behind words that a line may run through."""


def probes_axis(axes: Axes, counts: Sequence[int]) -> None:
    """Numbers of probes along x: a tick at each that was measured, labels where there is room."""
    every = ceil(len(counts) / _MOST_PROBES_LABELS)
    ticks = sorted(counts)
    labels = [str(count) if i % every == 0 else "" for i, count in enumerate(ticks)]
    axes.set_xscale("log")
    margin = max(_MARGIN, (ticks[-1] / ticks[0]) ** _ROOM_FOR_WORDS)
    axes.set_xlim(ticks[0] / margin, ticks[-1] * margin)
    axes.set_xticks(ticks, labels)
    axes.xaxis.minorticks_off()
    axes.set_xlabel("probes r")


def plain_axis(axes: Axes, which: Literal["x", "y"], low: float, high: float) -> None:
    """A logarithmic ``"x"`` or ``"y"`` that holds ``low`` to ``high``, with numbers as ticks."""
    low, high = low / _MARGIN, high * _MARGIN
    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    ticks = _ticks(low, high)
    axis.set_ticks(ticks, [_plain(tick) for tick in ticks])
    axis.set_minor_locator(_nowhere())
    axes.grid(axis=which)


def draw_line(axes: Axes, points: Sequence[Point], stroke: Stroke, **line: Any) -> None:
    """Points with their standard errors, joined; those with y = 0 stand on the lower edge."""
    drawn = [point for point in points if point[1] > 0]
    look = {"color": stroke.colour, "marker": stroke.marker, "linestyle": stroke.dashes, **line}
    if drawn:
        x, y, bars = zip(*drawn, strict=True)
        # On a logarithmic axis no bar can reach zero.
        below = [min(bar, 0.99 * value) for value, bar in zip(y, bars, strict=True)]
        axes.errorbar(x, y, [below, bars], **look)
    zeros = [x for x, y, _ in points if y == 0]
    if zeros:
        edge = axes.get_xaxis_transform()
        look["linestyle"] = "none"
        axes.plot(zeros, [0] * len(zeros), transform=edge, clip_on=False, **look)


def label_points(
    axes: Axes, points: Sequence[Point], words: Sequence[str], is_lowest: bool, colour: str
) -> None:
    """Write beside each point: below the lowest of falling lines, above the others.

    Where points crowd, only beside some of them, from the last to the first. The scales of the
    axes must have been set.
    """
    offset, across, along = ((-4, -4), "right", "top") if is_lowest else ((4, 3), "left", "bottom")
    for (x, y, _), text in reversed(list(zip(points, words, strict=True))):
        if y and text and _has_room(axes, x, y, across):
            axes.annotate(
                text, (x, y), offset, textcoords="offset points", ha=across, va=along,
                color=colour, fontsize=style.NOTE_SIZE, bbox=_PAPER,
            )  # fmt: skip


def _has_room(axes: Axes, x: float, y: float, across: str) -> bool:
    """Whether beside no other point nearby something was written on the same side."""
    from matplotlib.text import Annotation

    share = axes.transScale + axes.transLimits
    right, up = share.transform((x, y))
    return not any(
        isinstance(text, Annotation)
        and text.xycoords == "data"
        and text.get_horizontalalignment() == across
        and all(abs(share.transform(text.xy) - (right, up)) < (_WORD_SHARE, _LINE_SHARE))
        for text in axes.texts
    )


def label_line(axes: Axes, at: float, text: str) -> None:
    """Write beside the upper end of a vertical line."""
    axes.annotate(
        text, (at, 1), (-4, -2), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        ha="right", va="top", color=style.EXACT.colour,
    )  # fmt: skip


def label_level(axes: Axes, at: float, text: str) -> None:
    """Write below the right end of a horizontal line."""
    axes.annotate(
        text, (1, at), (-2, -3), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        ha="right", va="top", color=style.EXACT.colour, bbox=_PAPER,
    )  # fmt: skip


def draw_slope(axes: Axes, start: float, power: float, text: str) -> None:
    """A line ∝ probes^power for the eye, from ``start`` on the left edge."""
    left, right = axes.get_xlim()
    end = start * (right / left) ** power
    axes.plot([left, right], [start, end], color=style.FAINT, linestyle=(0, (1, 2)), linewidth=1)
    middle = sqrt(left * right), sqrt(start * end)
    axes.annotate(text, middle, (2, 4), textcoords="offset points", color=style.FAINT)


def _ticks(low: float, high: float) -> list[float]:
    """
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
    """
    >>> _plain(0.30000000000000004), _plain(2000.0), _plain(1e-5)
    ('0.3', '2000', '1e-05')
    """
    return f"{value:.6g}"


def _nowhere() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()
