"""Make lines of rows, in the looks of their methods."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf, isfinite, sqrt

from xconv_bench.report.canvas import Drawn, style
from xconv_bench.report.canvas.axes import Axis
from xconv_bench.report.canvas.curves import Line, Overlay, PlacedWords, Point
from xconv_bench.report.canvas.style import Look
from xconv_bench.report.rows import (
    Beside,
    Comparable,
    Row,
    by_estimator,
    by_layer,
    number,
    settings_of,
)
from xconv_bench.results.schema import ALL_LAYERS

BARS = "bars: standard errors"
ON_THE_EDGE = "points on the lower edge: the gradient is exact there"
_FEW = 5
_WHOLE = style.look(style.INK, "o", label="all layers together", linewidth=2.6, zorder=4)
OTHER_LAYERS = style.look("#cfcfcf", label="other layers", linewidth=0.8, zorder=1)
"""Look of the layers that the legend does not name."""

Named = tuple[str, Drawn | None]
"""A file name without its ending, and what is drawn there; None where there is nothing to show."""
DescribePictures = Callable[[Sequence[Row], Beside], Iterable[Named]]
"""From the rows of a table, and what stands beside them, to their pictures."""
Lines = Mapping[str, Sequence[Point]]
"""Points from left to right, by what the line shows."""
Make = Callable[[Row], Point | None]
"""Makes a point of a row; None where something was not measured."""


def by_setting(
    key: Sequence[str], described: Mapping[str, Callable[[Comparable, Beside], Drawn | None]]
) -> DescribePictures:
    """Return a description with the pictures ``described`` of each setting, by their names."""

    def describe(rows: Sequence[Row], beside: Beside) -> Iterator[Named]:
        for setting in settings_of(rows, key):
            for name, picture in described.items():
                yield f"{name}{setting.suffix}", picture(setting, beside)

    return describe


def point_of(
    x: str,
    y: str,
    units: tuple[float, float] = (1.0, 1.0),
    words: Callable[[Row], str] = lambda row: "",
    spread: Sequence[str] = (),
) -> Make:
    """Return what makes a point of the columns ``x`` and ``y``.

    ``spread`` names the column of the standard error of y, where a bar shows it.
    """

    def make(row: Row) -> Point | None:
        across, up = number(row, x), number(row, y)
        if across is None or up is None:
            return None
        bar = max([0.0, *(number(row, error) or 0.0 for error in spread)]) / units[1]
        return Point(across / units[0], up / units[1], bar, bar, words(row))

    return make


def lines_of(groups: Mapping[str, Iterable[Row]], make: Make) -> Lines:
    """Return the points of each group that has any."""
    made = {name: [make(row) for row in rows] for name, rows in groups.items()}
    found = {name: [p for p in points if p is not None] for name, points in made.items()}
    return {name: sorted(line, key=lambda p: p.x) for name, line in found.items() if line}


def points_in(panels: Iterable[Lines]) -> list[Point]:
    """Return the points of all lines of all panels."""
    return [point for lines in panels for line in lines.values() for point in line]


def placed(values: Iterable[float]) -> list[float]:
    """Return the values that have a place on a logarithmic axis."""
    return [value for value in values if value > 0 and isfinite(value)]


def heights(points: Iterable[Point]) -> list[float]:
    """Return the heights of the points that have a place on a logarithmic axis."""
    return placed(point.y for point in points)


def marks(
    lines: Lines, looks: Mapping[str, Look], other: Look | None = None, has_words: bool = False
) -> list[Overlay]:
    """Return the marks of lines in their ``looks``, or in that of all others.

    Where points have words, those of the lowest line stand below it.
    """
    lowest = min(lines, key=lambda name: min(p.y or inf for p in lines[name])) if has_words else ""
    return [
        Line(line, looks[name] if other is None else looks.get(name, other), name == lowest)
        for name, line in lines.items()
    ]


def power_law(x: Axis, at_one: float, power: float, look: Look) -> Line:
    """Return a line ∝ xᵖ across a panel that is ``at_one`` where x is 1."""
    return Line([Point(end, at_one * end**power) for end in x.ends or ()], look)


def slope(x: Axis, start: float, power: float, text: str) -> list[Overlay]:
    """Return a line ∝ xᵖ for the eye, from ``start`` on the left edge, and its words."""
    left, right = x.ends or (1.0, 1.0)
    look = Look(text, style.Stroke(style.FAINT, "", (0, (1, 2))), {"linewidth": 1})
    middle = sqrt(left * right)
    return [
        power_law(x, start * left**-power, power, look),
        PlacedWords(text, (middle, start * (middle / left) ** power), (2, 4)),
    ]


def on_the_edge(points: Iterable[Point], words: str = ON_THE_EDGE) -> list[str]:
    """Return a note on points on the lower edge, where there are any."""
    return [words] if any(point.y == 0 for point in points) else []


def looks_of(rows: Iterable[Row]) -> dict[str, Look]:
    """Return how the line of each estimator looks."""
    return looks_by_name(by_estimator(rows))


def looks_by_name(groups: Mapping[str, Sequence[Row]], has_markers: bool = True) -> dict[str, Look]:
    """Return a look for each group: the colour of its scheme or method, in dashes of its own."""
    variants: Counter[str] = Counter()
    looks = {}
    for name, rows in groups.items():
        kind = str(rows[0]["scheme"] or rows[0]["method"])
        stroke = style.stroke(kind, variants[kind])
        looks[name] = Look(name, stroke, {} if has_markers else {"marker": ""})
        variants[kind] += 1
    return looks


def layer_looks(words: Mapping[str, str]) -> dict[str, Look]:
    """Return looks of layers, which the legend calls as ``words`` says, and of all together."""
    return {**style.graded(words, linewidth=1.3, zorder=3), ALL_LAYERS: _WHOLE}


def few_layers(rows: Iterable[Row], layers: Sequence[str] | None) -> list[str]:
    """Return ``layers`` where they are given, or else a few of them; then all together."""
    found = [layer for layer in by_layer(rows, layers) if layer != ALL_LAYERS]
    if layers is None and len(found) > _FEW:
        found = [found[i * (len(found) - 1) // (_FEW - 1)] for i in range(_FEW)]
    return [*found, ALL_LAYERS]


def panel_title(layer: str) -> str:
    """Return ``layer 7``, ``stage1.conv``, or what all are together."""
    if layer == ALL_LAYERS:
        return _WHOLE.label
    return f"layer {layer}" if layer[:1].isdigit() else layer
