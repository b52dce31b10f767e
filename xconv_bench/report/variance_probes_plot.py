"""A figure of single layers against the number of probes: a panel a layer, a line an estimator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.frame import Entry, framed
from xconv_bench.report.log_axes import Point, draw_line, plain_axis, probes_axis
from xconv_bench.report.notes import failures_of
from xconv_bench.report.settings import Setting, by_estimator, is_reference, number, strokes_of
from xconv_bench.report.summary import Row
from xconv_bench.report.variance_laws import deviation
from xconv_bench.report.variance_layers import panel_title, shown_layers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_PANEL_INCHES = 2.6


@dataclass(frozen=True)
class Quantity:
    """What is drawn: the root of ``column``, and dashed that of exact gradients, from ``level``."""

    title: str
    axis: str
    column: str
    level: Callable[[Sequence[Row]], float | None]
    level_words: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Panel:
    lines: dict[str, list[Point]] = field(default_factory=dict)
    level: float | None = None

    @property
    def values(self) -> list[float]:
        found = [point[1] for line in self.lines.values() for point in line]
        return [value for value in [*found, self.level] if value]


def exact_deviation(rows: Iterable[Row]) -> float | None:
    """The standard deviation of exact gradients: that of their own row, or what any row says."""
    for row in sorted(rows, key=is_reference, reverse=True):
        found = deviation(row, "total_variance" if is_reference(row) else "sampling_variance")
        if found is not None:
            return found.value
    return None


def _rounding(rows: Iterable[Row]) -> float | None:
    found = (deviation(row, "rounding_squared_error") for row in rows)
    return next((each.value for each in found if each is not None), None)


DEVIATION = Quantity(
    "Standard deviation of the gradient",
    "standard deviation",
    "total_variance",
    exact_deviation,
    "exact gradients",
    ("standard deviation over minibatches and seeds: √ of the variance summed over the weights",),
)

ROUNDING = Quantity(
    "Error at half precision",
    "distance from float64",
    "squared_error",
    _rounding,
    "torch's own layers, rounded",
    ("distance: from the gradient in float64, root mean square over minibatches and seeds",),
)


def draw_against_probes(
    setting: Setting, layers: Sequence[str] | None, quantity: Quantity
) -> Picture | None:
    """The picture of a setting with a single batch size; None without a line or a level."""
    panels = {
        layer: _panel([row for row in setting.rows if row["layer"] == layer], quantity)
        for layer in shown_layers(setting.rows, layers)
    }
    panels = {layer: panel for layer, panel in panels.items() if panel.lines}
    values = [value for panel in panels.values() for value in panel.values]
    if not values or all(panel.level is None for panel in panels.values()):
        return None
    strokes = strokes_of(setting.rows)
    names = dict.fromkeys(name for panel in panels.values() for name in panel.lines)
    picture, axes = framed(
        f"{quantity.title}: {setting.title}",
        quantity.axis,
        [*(Entry(name, strokes[name], {}) for name in names),
         Entry(quantity.level_words, style.EXACT, {})],
        [*quantity.notes, "bars: standard errors", *failures_of(setting)],
        len(panels),
        _PANEL_INCHES,
    )  # fmt: skip
    points = [p for panel in panels.values() for line in panel.lines.values() for p in line]
    for each, (layer, panel) in zip(axes, panels.items(), strict=True):
        each.set_title(panel_title(layer))
        probes_axis(each, sorted({int(x) for x, _, _ in points}))
        plain_axis(each, "y", min(values), max(values))
        _draw(each, panel, strokes)
    return picture


def _panel(rows: Sequence[Row], quantity: Quantity) -> _Panel:
    lines = {}
    for name, some in by_estimator(rows).items():
        points = [point for row in some if (point := _point(row, quantity.column)) is not None]
        if points:
            lines[name] = sorted(points)
    return _Panel(lines, quantity.level(rows))


def _point(row: Row, column: str) -> Point | None:
    probes, found = number(row, "probes"), deviation(row, column)
    if probes is None or found is None or not found.value:
        return None
    return probes, found.value, found.se or 0.0


def _draw(axes: Axes, panel: _Panel, strokes: dict[str, style.Stroke]) -> None:
    for name, points in panel.lines.items():
        draw_line(axes, points, strokes[name])
    if panel.level:
        axes.axhline(panel.level, color=style.EXACT.colour, linestyle=style.EXACT.dashes, zorder=1)
