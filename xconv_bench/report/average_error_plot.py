"""The average gradient error against the number of probes, as figures 4 to 6 of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.frame import Entry, framed
from xconv_bench.report.log_axes import (
    Point,
    draw_line,
    label_level,
    label_points,
    plain_axis,
    probes_axis,
)
from xconv_bench.report.notes import failures_of
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.settings import (
    Setting,
    by_estimator,
    is_reference,
    number,
    of_network,
    settings_of,
    strokes_of,
)
from xconv_bench.report.summary import Row
from xconv_bench.results.schema import TABLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_PANEL_INCHES = 3.9
_ROOM_FOR_WORDS = 0.8
_ERROR = "average_gradient_error"


def plot_average_error(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``age.png`` and ``age.svg`` in ``folder`` and return their paths.

    A line for each estimator in ``rows``, as ``Table.rows`` returns them, over the whole network;
    the error of exact gradients, the noise of minibatches alone, is a dashed line. Where batches
    differ, because each is what a memory holds, every point says its own. Rows of several settings
    make a picture each, told apart by the ends of their names. Nothing is drawn of a setting in
    which no estimator has an error.

    Raises BenchError where a file cannot be written.
    """
    written: list[Path] = []
    with fixed_settings():
        for setting in settings_of(rows, TABLES["age"].key):
            picture = _draw(setting)
            if picture is not None:
                written += save(picture, folder, f"age{setting.suffix}")
    return written


def _draw(setting: Setting) -> Picture | None:
    rows = of_network(setting.rows)
    found = {name: _measured(some) for name, some in by_estimator(rows).items()}
    lines = {name: some for name, some in found.items() if some}
    points = {name: [_point(row) for row in some] for name, some in lines.items()}
    every = [point for line in points.values() for point in line]
    errors = [error for _, error, _ in every if error]
    if not errors:
        return None
    strokes = strokes_of(rows)
    picture, (axes,) = framed(
        f"Average gradient error: {setting.title}",
        "average gradient error",
        [Entry(name, strokes[name], {}) for name in lines],
        _notes(setting, every),
        panels=1,
        panel_inches=_PANEL_INCHES,
    )
    floors = _floors(rows)
    probes_axis(axes, sorted({int(probes) for probes, _, _ in every}))
    levels = [*errors, *floors, *(floor * _ROOM_FOR_WORDS for floor in floors)]
    plain_axis(axes, "y", min(levels), max(levels))
    _draw_floor(axes, rows, floors)
    lowest = min(points, key=lambda name: min(error or inf for _, error, _ in points[name]))
    for name, line in points.items():
        draw_line(axes, line, strokes[name])
        label_points(axes, line, _batches(lines[name], rows), name == lowest, strokes[name].colour)
    return picture


def _measured(rows: Sequence[Row]) -> list[Row]:
    """Those that have a place in the picture, from the fewest probes to the most."""
    placed = [row for row in rows if row["probes"] is not None and row[_ERROR] is not None]
    return sorted(placed, key=lambda row: number(row, "probes") or 0)


def _point(row: Row) -> Point:
    values = (number(row, name) or 0.0 for name in ("probes", _ERROR, f"{_ERROR}_se"))
    probes, error, standard_error = values
    return probes, error, standard_error


def _floors(rows: Sequence[Row]) -> list[float]:
    """The error of exact gradients: that of their own row, or with equal batches of any row."""
    exact = [row[_ERROR] for row in rows if is_reference(row)]
    if not exact and not _batches_differ(rows):
        exact = [row[f"exact_{_ERROR}"] for row in rows]
    return [value for value in exact if isinstance(value, float) and value > 0][:1]


def _draw_floor(axes: Axes, rows: Sequence[Row], floors: Sequence[float]) -> None:
    batches = [f", batch {row['batch_size']}" for row in rows if is_reference(row)]
    words = f"exact{batches[0]}" if batches and _batches_differ(rows) else "exact"
    for floor in floors:
        axes.axhline(floor, color=style.EXACT.colour, linestyle=style.EXACT.dashes)
        label_level(axes, floor, words)


def _batches(line: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    """What to write beside the points of a line."""
    return [f"batch {row['batch_size']}" if _batches_differ(rows) else "" for row in line]


def _batches_differ(rows: Sequence[Row]) -> bool:
    return len({row["batch_size"] for row in rows}) > 1


def _notes(setting: Setting, points: Sequence[Point]) -> list[str]:
    notes = [
        "error: mean over the minibatches of the squared distance of their gradient from the exact "
        "gradient of all samples",
        "dashed: exact gradients of minibatches",
        "bars: standard errors",
    ]
    if any(error == 0 for _, error, _ in points):
        notes.append("points on the lower edge: no error")
    if any(is_reference(row) and row[_ERROR] == 0 for row in of_network(setting.rows)):
        notes.append("exact: no error, a minibatch holds all samples")
    return [*notes, *failures_of(setting)]
