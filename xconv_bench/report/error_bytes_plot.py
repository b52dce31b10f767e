"""The error of the whole network's weight gradients against what the network saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.frame import Entry, framed
from xconv_bench.report.log_axes import draw_line, label_line, label_points, plain_axis
from xconv_bench.report.notes import failures_of
from xconv_bench.report.settings import (
    Setting,
    by_estimator,
    is_exact,
    is_reference,
    number,
    of_network,
    strokes_of,
)
from xconv_bench.report.summary import Row
from xconv_bench.report.units import bytes_unit, format_bytes
from xconv_bench.report.words import dial_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_PANEL_INCHES = 3.9
_ROOM_FOR_WORDS = 0.85


@dataclass(frozen=True)
class _Trade:
    """What a configuration saves, in bytes, and the error that this makes; 0 is exact."""

    dial: str
    saved: float
    error: float
    standard_error: float


def draw_error_bytes(setting: Setting) -> Picture | None:
    """A line for each estimator; None where no estimator has an error."""
    rows = [row for row in of_network(setting.rows) if not is_reference(row)]
    found = {name: _trades(some) for name, some in by_estimator(rows).items()}
    lines = {name: trades for name, trades in found.items() if trades}
    trades = [trade for line in lines.values() for trade in line]
    if not any(trade.error for trade in trades):
        return None
    strokes = strokes_of(rows)
    picture, (axes,) = framed(
        f"Error of the weight gradients, and what is saved for it: {setting.title}",
        "relative error",
        [Entry(name, strokes[name], {}) for name in lines],
        _notes(setting, trades),
        panels=1,
        panel_inches=_PANEL_INCHES,
    )
    exact = [saved for row in of_network(setting.rows) if (saved := _exact_bytes(row))]
    unit = _draw_axes(axes, trades, exact)
    lowest = min(lines, key=lambda name: min(each.error or inf for each in lines[name]))
    for name, line in lines.items():
        points = [(each.saved / unit, each.error, each.standard_error) for each in line]
        draw_line(axes, points, strokes[name])
        label_points(
            axes, points, [each.dial for each in line], name == lowest, strokes[name].colour
        )
    return picture


def _trades(rows: Sequence[Row]) -> list[_Trade]:
    trades = []
    for row in sorted(rows, key=lambda row: number(row, "saved_bytes") or 0):
        saved, error = number(row, "saved_bytes"), number(row, "relative_error")
        if saved and error is not None:
            known = 0.0 if is_exact(row) else error
            bar = number(row, "relative_error_se") or 0.0
            trades.append(_Trade(dial_words(row), saved, known, bar))
    return trades


def _exact_bytes(row: Row) -> float | None:
    return number(row, "saved_bytes") if is_reference(row) else None


def _draw_axes(axes: Axes, trades: Sequence[_Trade], exact: Sequence[float]) -> float:
    """Scales, their names and what exact layers save; returns the bytes of a unit along x."""
    errors = [trade.error for trade in trades if trade.error]
    sizes = [*(trade.saved for trade in trades), *exact]
    unit = bytes_unit(max(sizes))
    plain_axis(axes, "x", min(sizes) / unit.size, max(sizes) / unit.size)
    plain_axis(axes, "y", min(errors) * _ROOM_FOR_WORDS, max(errors))
    axes.set_xlabel(f"saved by the whole network ({unit.name})")
    for saved in exact:
        axes.axvline(saved / unit.size, color=style.EXACT.colour, linestyle=style.EXACT.dashes)
        label_line(axes, saved / unit.size, f"exact: {format_bytes(saved)}")
    return unit.size


def _notes(setting: Setting, trades: Sequence[_Trade]) -> list[str]:
    notes = ["error: distance from the exact gradient, root mean square, relative to it"]
    notes.append("bars: standard errors")
    if any(trade.error == 0 for trade in trades):
        notes.append("points on the lower edge: the gradient is exact there")
    return [*notes, *failures_of(setting)]
