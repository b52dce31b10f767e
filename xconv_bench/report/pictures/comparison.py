"""Describe how figures changed from the first run to the others: points on a logarithmic axis."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.axes import Axis, named
from xconv_bench.report.canvas.curves import Curves, Level, Line, Panel, Point
from xconv_bench.report.canvas.files import draw
from xconv_bench.report.canvas.style import Look
from xconv_bench.report.words import format_ratio

_FRAME_INCHES = 0.95
_LINE_INCHES = 0.4
_LABEL_CHARACTERS = 58
_LEAST_REACH = 1.25
"""The axis runs at least to this factor, in both directions."""
_STEPS = (1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 100, 1000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Changed:
    """Hold the ``ratios`` of a figure to the first run; ``colour`` is the method's."""

    label: str
    colour: str
    ratios: Sequence[float | None]

    def known(self) -> list[float]:
        """Return the ratios that have a place on the axis."""
        return [ratio for ratio in self.ratios if ratio and ratio > 0 and isfinite(ratio)]


def plot_comparison(changes: Sequence[Changed], runs: Sequence[str], folder: Path) -> list[Path]:
    """Draw ``comparison.png`` and ``comparison.svg`` in ``folder`` and return their paths.

    A line for each of ``changes``, a point for each of ``runs`` but the first. Nothing is drawn
    where none has a ratio. Raises BenchError where a file cannot be written.
    """
    drawn = [change for change in changes if change.known()]
    return draw([("comparison", comparison(drawn, runs))] if drawn else [], folder)


def comparison(changes: Sequence[Changed], runs: Sequence[str]) -> Curves:
    """Describe a line for each change, a kind of point for each run but the first."""
    labels = ["\n".join(textwrap.wrap(each.label, _LABEL_CHARACTERS)[:2]) for each in changes]
    lines = [line for place, each in enumerate(changes) for line in _lines(place, each)]
    return Curves(
        f"Largest changes since {runs[0]}",
        _ratios(f"ratio to {runs[0]}", [ratio for each in changes for ratio in each.known()]),
        named("", labels, is_downwards=True, fontsize=style.NOTE_SIZE),
        [Panel([Level(1, axis="x"), *lines])],
        [
            Look(name, style.Stroke(style.INK, marker, "none"))
            for name, marker in zip(runs[1:], style.MARKERS, strict=False)
        ],
        [],
        panel_inches=_FRAME_INCHES + _LINE_INCHES * len(changes),
    )  # fmt: skip


def _lines(place: int, change: Changed) -> Iterator[Line]:
    """Yield a line from 1 to each ratio, with a point at its end."""
    for ratio, marker in zip(change.ratios, style.MARKERS, strict=False):
        if ratio is not None:
            look = Look("", style.Stroke(change.colour, marker), {"linewidth": 1, "markevery": [1]})
            yield Line([Point(1, place), Point(ratio, place)], look)


def _ratios(name: str, ratios: Sequence[float]) -> Axis:
    reach = max([_LEAST_REACH, *(max(ratio, 1 / ratio) for ratio in ratios)]) ** 1.1
    inside = [step for step in _STEPS if step <= reach]
    kept = [1, *inside[-3:]] if len(inside) > 4 else inside
    ticks = sorted({*(1 / step for step in kept), *kept})
    words = {tick: format_ratio(tick) for tick in ticks}
    return Axis(name, (1 / reach, reach), words, is_logarithmic=True, has_grid=True)
