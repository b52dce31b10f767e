"""The standard deviation of the gradient against the batch size, as figure 3b of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.frame import Entry, framed
from xconv_bench.report.log_axes import Point, draw_line, plain_axis, probes_axis
from xconv_bench.report.notes import failures_of
from xconv_bench.report.settings import Setting, by_estimator, is_reference, number
from xconv_bench.report.summary import Row
from xconv_bench.report.variance_laws import deviation
from xconv_bench.report.variance_layers import panel_title, shown_layers
from xconv_bench.report.variance_probes_plot import exact_deviation

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

_PANEL_INCHES = 2.6
_EXACT = Entry("exact", style.Stroke(style.EXACT.colour, "x", style.EXACT.dashes), {"zorder": 4})

Lines = Mapping[str, list[Point]]
"""Against batch size, by what the legend calls them."""


def draw_against_batch(
    setting: Setting, estimator: str, layers: Sequence[str] | None
) -> Picture | None:
    """One estimator: a panel a layer, a line for each number of probes; None without a point."""
    rows = [
        row
        for row in setting.rows
        if is_reference(row) or row in by_estimator(setting.rows)[estimator]
    ]
    panels = {
        layer: _lines([row for row in rows if row["layer"] == layer])
        for layer in shown_layers(rows, layers)
    }
    points = [p for lines in panels.values() for line in lines.values() for p in line]
    if not any(value for _, value, _ in points):
        return None
    entries = _entries(rows)
    picture, axes = framed(
        f"Standard deviation of the gradient, {estimator}: {setting.title}",
        "standard deviation",
        list(entries.values()),
        _notes(setting),
        len(panels),
        _PANEL_INCHES,
    )
    values = [value for _, value, _ in points if value]
    for panel, (layer, lines) in zip(axes, panels.items(), strict=True):
        panel.set_title(panel_title(layer))
        probes_axis(panel, sorted({int(x) for x, _, _ in points}))
        panel.set_xlabel("batch size")
        plain_axis(panel, "y", min(values), max(values))
        for name, line in lines.items():
            draw_line(panel, line, entries[name].stroke, **entries[name].line)
    return picture


def _entries(rows: Sequence[Row]) -> dict[str, Entry]:
    counts = sorted({int(probes) for row in rows if (probes := number(row, "probes"))})
    strokes = style.graded(len(counts))
    named = {_name(r): Entry(_name(r), s, {}) for r, s in zip(counts, strokes, strict=True)}
    return {**named, _EXACT.label: _EXACT}


def _lines(rows: Sequence[Row]) -> Lines:
    lines: dict[str, list[Point]] = {}
    for row in rows:
        probes, found = number(row, "probes"), deviation(row)
        if probes and found and found.value:
            point = (float(row["batch_size"] or 0), found.value, found.se or 0.0)
            lines.setdefault(_name(int(probes)), []).append(point)
    for batch in sorted({int(row["batch_size"] or 0) for row in rows}):
        exact = exact_deviation(row for row in rows if row["batch_size"] == batch)
        if exact:
            lines.setdefault(_EXACT.label, []).append((batch, exact, 0.0))
    return {name: sorted(line) for name, line in lines.items()}


def _name(probes: int) -> str:
    return f"r={probes}"


def _notes(setting: Setting) -> list[str]:
    return [
        "standard deviation over minibatches and seeds: √ of the variance summed over the weights",
        "bars: standard errors",
        *dict.fromkeys(failures_of(setting)),
    ]
