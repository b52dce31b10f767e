"""Error and time of a training step against its peak memory, with what no other method beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.frame import Entry, framed
from xconv_bench.report.log_axes import draw_line, label_points, plain_axis
from xconv_bench.report.notes import failures_of
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.settings import Setting, by_estimator, number, settings_of, strokes_of
from xconv_bench.report.style import Stroke
from xconv_bench.report.summary import Row
from xconv_bench.report.units import Unit, bytes_unit, seconds_unit
from xconv_bench.report.words import dial_words
from xconv_bench.results import schema
from xconv_bench.results.schema import TABLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_PANEL_INCHES = 4.3
_ROOM = 0.8
_FRONT = Entry("the front", Stroke(style.INK, "", (0, (1, 1.5))), {"linewidth": 1.0})


@dataclass(frozen=True)
class _Cost:
    """What is set against memory: its column, its name, and the column of what beats it."""

    column: str
    name: str
    title: str
    beaten: str
    note: str


_COSTS = {
    "error": _Cost(
        "relative_error",
        "relative error",
        "Error of the weight gradients against peak memory",
        "beaten_in_error_by",
        "points on the lower edge: the gradient is exact",
    ),
    "time": _Cost(
        "step_seconds",
        "step",
        "Time of a step against peak memory",
        "beaten_in_time_by",
        "step: forward, loss and backward, median",
    ),
}


def plot_frontier(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``frontier_error`` and ``frontier_time`` (PNG, SVG) and return the paths.

    One picture of each for a setting of ``rows``, as ``Table.rows`` returns them. The line of a
    method runs over its knob; full points are on the front, hollow ones are beaten by another.
    Nothing is drawn of what was not measured. Raises BenchError where a file cannot be written.
    """
    paths = []
    with fixed_settings():
        for setting in settings_of(rows, TABLES["frontier"].key):
            for name, cost in _COSTS.items():
                picture = _draw(setting, cost)
                if picture is not None:
                    paths += save(picture, folder, f"frontier_{name}{setting.suffix}")
    return paths


def _draw(setting: Setting, cost: _Cost) -> Picture | None:
    rows = [r for r in setting.rows if r["peak_bytes"] and number(r, cost.column) is not None]
    if not any(number(row, cost.column) for row in rows):
        return None
    strokes = strokes_of(rows)
    meter = TABLES["memory"][str(rows[0]["peak_meter"])]
    picture, (axes,) = framed(
        f"{cost.title}: {setting.title}",
        cost.name,
        [*(Entry(name, strokes[name], {}) for name in by_estimator(rows)), _FRONT],
        [
            "hollow points are beaten by another method", cost.note,
            f"{meter.heading}: {meter.meaning}", *failures_of(setting),
        ],
        panels=1,
        panel_inches=_PANEL_INCHES,
    )  # fmt: skip
    units = _draw_axes(axes, rows, cost, meter.heading)
    _draw_front(axes, [row for row in rows if row[cost.beaten] is None], cost, units)
    for name, line in by_estimator(rows).items():
        ordered = sorted(line, key=lambda row: number(row, "peak_bytes") or 0)
        points = [(*_place(row, cost, units), 0.0) for row in ordered]
        draw_line(axes, points, strokes[name], zorder=3)
        beaten = [p for p, row in zip(points, ordered, strict=True) if row[cost.beaten]]
        hollow = Stroke(strokes[name].colour, strokes[name].marker, "none")
        draw_line(axes, beaten, hollow, markerfacecolor="white", zorder=4)
        words = [dial_words(row) or name for row in ordered]
        label_points(axes, points, words, is_lowest=False, colour=strokes[name].colour)
    return picture


def _draw_axes(
    axes: Axes, rows: Sequence[Row], cost: _Cost, heading: str
) -> tuple[Unit, Unit | None]:
    """Scales and their names; the units along x and y, None where y has none."""
    peaks = [number(row, "peak_bytes") or 0.0 for row in rows]
    values = [value for row in rows if (value := number(row, cost.column))]
    column = TABLES["frontier"][cost.column]
    unit = bytes_unit(max(peaks))
    plain_axis(axes, "x", min(peaks) / unit.size, max(peaks) / unit.size)
    axes.set_xlabel(f"{heading} ({unit.name})")
    seconds = seconds_unit(max(values)) if column.unit is schema.column.Unit.SECONDS else None
    size = seconds.size if seconds else 1.0
    plain_axis(axes, "y", min(values) * _ROOM / size, max(values) / size)
    if seconds:
        axes.set_ylabel(f"{cost.name} ({seconds.name})")
    return unit, seconds


def _place(row: Row, cost: _Cost, units: tuple[Unit, Unit | None]) -> tuple[float, float]:
    peak, value = number(row, "peak_bytes") or 0.0, number(row, cost.column) or 0.0
    return peak / units[0].size, value / (units[1].size if units[1] else 1.0)


def _draw_front(
    axes: Axes, rows: Sequence[Row], cost: _Cost, units: tuple[Unit, Unit | None]
) -> None:
    """Steps: with more memory than a point of the front needs, its cost is to be had too."""
    bottom, _ = axes.get_ylim()
    places = sorted((x, max(y, bottom)) for x, y in (_place(row, cost, units) for row in rows))
    if places:
        x, y = zip(*places, strict=True)
        right = axes.get_xlim()[1]
        axes.step(
            [*x, right], [*y, y[-1]], where="post", color=_FRONT.stroke.colour,
            linestyle=_FRONT.stroke.dashes, linewidth=1.0, zorder=2,
        )  # fmt: skip
