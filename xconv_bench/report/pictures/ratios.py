"""Describe pictures of ratios: times of ``runtime.csv`` to exact, figures to those of a run."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from xconv_bench.naming import method_words
from xconv_bench.report.canvas import axes, curves, style
from xconv_bench.report.pictures.lines import Named
from xconv_bench.report.rows import Beside, Row, grouped, is_reference, number
from xconv_bench.report.tables.methods import is_win
from xconv_bench.report.words import ended, format_ratio

_FIELD_INCHES, _FIELDS_FRAME_INCHES = 0.3, 1.1
_LINE_INCHES, _LINES_FRAME_INCHES = 0.4, 0.95
_NOTES = (
    "time of a step over that of the exact layer in the same round, median",
    "green is quicker than exact",
    "in bold where the whole 95 % interval is below 1",
)
_LABEL_CHARACTERS = 58
_LEAST_REACH = 1.25
"""The axis runs at least to this factor, in both directions."""
_STEPS = (1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 100, 1000, 10_000, 100_000, 1_000_000)


def runtime(rows: Sequence[Row], beside: Beside) -> Iterator[Named]:
    """Describe a panel a method: a line for each model and batch, a column for each image size."""
    compared = [row for row in rows if not is_reference(row)]
    if not any(number(row, "step_ratio") for row in compared):
        return
    sizes = sorted({_size(row) for row in compared})
    lines = list(dict.fromkeys(_line(row) for row in compared))
    panels = [
        curves.Panel([_field(row, sizes, lines) for row in some], name)
        for name, some in grouped(compared, method_words).items()
    ]
    yield (
        "runtime",
        curves.Curves(
            "Time of a step relative to exact",
            axes.named("pixels a side", list(map(str, sizes))),
            axes.named("", lines, is_downwards=True),
            panels,
            [],
            _NOTES,
            panel_inches=_FIELD_INCHES * len(lines) + _FIELDS_FRAME_INCHES,
        ),
    )


def _field(row: Row, sizes: Sequence[int], lines: Sequence[str]) -> curves.Field:
    place = sizes.index(_size(row)), lines.index(_line(row))
    ratio = number(row, "step_ratio")
    if ratio is None:
        return curves.Field(place, ended(row))
    return curves.Field(place, format_ratio(ratio), ratio, is_win(row))


def _size(row: Row) -> int:
    return int(number(row, "image_size") or 0)


def _line(row: Row) -> str:
    return f"{row['model']}, batch {row['batch_size']}"


@dataclass(frozen=True)
class Changed:
    """The ``ratios`` of a figure to the first run, a run each; ``colour`` is the method's."""

    label: str
    colour: str
    ratios: Sequence[float | None]

    def known(self) -> list[float]:
        """Return the ratios that have a place on the axis."""
        return [ratio for ratio in self.ratios if ratio and ratio > 0 and isfinite(ratio)]


def comparison(changes: Sequence[Changed], runs: Sequence[str]) -> Iterator[Named]:
    """Describe how figures changed: a line for each, a point for each run but the first."""
    drawn = [change for change in changes if change.known()]
    if not drawn:
        return
    labels = ["\n".join(textwrap.wrap(each.label, _LABEL_CHARACTERS)[:2]) for each in drawn]
    lines = [line for place, each in enumerate(drawn) for line in _lines(place, each)]
    known = [ratio for each in drawn for ratio in each.known()]
    yield (
        "comparison",
        curves.Curves(
            f"Largest changes since {runs[0]}",
            _ratio_axis(f"ratio to {runs[0]}", known),
            axes.named("", labels, is_downwards=True, fontsize=style.NOTE_SIZE),
            [curves.Panel([curves.Level(1, axis="x"), *lines])],
            [
                style.look(style.INK, marker, "none", name)
                for name, marker in zip(runs[1:], style.MARKERS, strict=False)
            ],
            [],
            panel_inches=_LINES_FRAME_INCHES + _LINE_INCHES * len(drawn),
        ),
    )


def _lines(place: int, change: Changed) -> Iterator[curves.Line]:
    """Yield a line from 1 to each ratio, with a point at its end."""
    for ratio, marker in zip(change.ratios, style.MARKERS, strict=False):
        if ratio is not None:
            look = style.look(change.colour, marker, linewidth=1, markevery=[1])
            yield curves.Line([curves.Point(1, place), curves.Point(ratio, place)], look)


def _ratio_axis(name: str, ratios: Sequence[float]) -> axes.Axis:
    reach = max([_LEAST_REACH, *(max(ratio, 1 / ratio) for ratio in ratios)]) ** 1.1
    inside = [step for step in _STEPS if step <= reach]
    kept = [1, *inside[-3:]] if len(inside) > 4 else inside
    ticks = sorted({*(1 / step for step in kept), *kept})
    words = {tick: format_ratio(tick) for tick in ticks}
    return axes.Axis(name, (1 / reach, reach), words, is_logarithmic=True, has_grid=True)
