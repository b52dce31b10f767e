"""The estimator's variance over that of minibatches against the number of probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.frame import Entry, framed
from xconv_bench.report.log_axes import plain_axis, probes_axis
from xconv_bench.report.notes import failures_of
from xconv_bench.report.settings import Setting, by_estimator, by_layer, number, strokes_of
from xconv_bench.report.summary import Row
from xconv_bench.report.variance_laws import Laws, law_of
from xconv_bench.report.variance_layers import panel_title, shown_layers
from xconv_bench.results.schema import ALL_LAYERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_PANEL_INCHES = 3.4
_AS_NOISY_AS_SGD = 1.0
_ROOM_FOR_WORDS = 1.6
_SHADE = "#f3ece4"

_WHOLE = Entry(panel_title(ALL_LAYERS), style.Stroke(style.INK, "o"),
               {"linewidth": 2.2, "zorder": 4})  # fmt: skip
_OTHERS = Entry("other layers", style.Stroke("#c4c4c4", ""), {"linewidth": 0.8, "zorder": 1})

Lines = Mapping[str, list[Row]]
"""By layer, the rows that have a ratio, from the fewest probes to the most."""


def draw_ratio(setting: Setting, laws: Laws, layers: Sequence[str] | None) -> Picture | None:
    """A panel for each estimator, a line for each layer; None where nothing was estimated."""
    found = {name: _lines(rows, layers) for name, rows in by_estimator(setting.rows).items()}
    panels = {name: lines for name, lines in found.items() if lines}
    rows = [row for lines in panels.values() for line in lines.values() for row in line]
    if not any(row["variance_ratio"] for row in rows):
        return None
    named, target = _named(setting.rows, layers), _target(rows, laws)
    picture, axes = framed(
        f"Noise of the estimator over that of minibatches: {setting.title}",
        "estimator / sampling variance",
        [*_legend(named, rows), Entry(f"target {target:g}", style.EXACT, {})],
        _notes(setting, rows, laws),
        len(panels),
        _PANEL_INCHES,
    )
    strokes = strokes_of(setting.rows)
    for panel, (name, lines) in zip(axes, panels.items(), strict=True):
        panel.set_title(name, color=strokes[name].colour)
        probes_axis(panel, sorted({int(number(row, "probes") or 0) for row in rows}))
        plain_axis(panel, "y", *_limits(rows, target))
        _draw_levels(panel, target)
        for layer, line in lines.items():
            _draw_line(panel, line, law_of(laws, line[0]), named.get(layer, _OTHERS))
    return picture


def _lines(rows: Sequence[Row], layers: Sequence[str] | None) -> Lines:
    lines = {}
    for layer, some in by_layer(rows, layers).items():
        measured = [row for row in some if row["probes"] and row["variance_ratio"] is not None]
        if measured:
            lines[layer] = sorted(measured, key=lambda row: number(row, "probes") or 0)
    return lines


def _named(rows: Sequence[Row], layers: Sequence[str] | None) -> dict[str, Entry]:
    shown = shown_layers(rows, layers)[:-1]
    strokes = style.graded(len(shown))
    look = {"linewidth": 1.2, "zorder": 3}
    named = {
        layer: Entry(panel_title(layer), s, look) for layer, s in zip(shown, strokes, strict=True)
    }
    return {**named, ALL_LAYERS: _WHOLE}


def _legend(named: Mapping[str, Entry], rows: Sequence[Row]) -> list[Entry]:
    has_others = any(row["layer"] not in named for row in rows)
    return [*named.values(), *([_OTHERS] if has_others else [])]


def _target(rows: Sequence[Row], laws: Laws) -> float:
    found = (law_of(laws, row) for row in rows)
    return next((number(law, "target_ratio") or 1.0 for law in found if law), _AS_NOISY_AS_SGD)


def _limits(rows: Sequence[Row], target: float) -> tuple[float, float]:
    """What holds all ratios and the intervals that are drawn, and both sides of a ratio of 1."""
    bars = [_bar(row) for row in rows if row["variance_ratio"]]
    ends = [bound for bar in bars for bound in bar[1:]]
    return min(*ends, target, _AS_NOISY_AS_SGD / 2), max(*ends, target) * _ROOM_FOR_WORDS


def _draw_levels(axes: Axes, target: float) -> None:
    top = axes.get_ylim()[1]
    axes.axhspan(_AS_NOISY_AS_SGD, top, color=_SHADE, linewidth=0, zorder=0)
    axes.axhline(target, color=style.EXACT.colour, linestyle=style.EXACT.dashes, zorder=2)
    axes.annotate("noisier than SGD itself", (1, 1), (-3, -3), xycoords="axes fraction",
                  textcoords="offset points", ha="right", va="top", color=style.FAINT,
                  fontsize=style.NOTE_SIZE)  # fmt: skip


def _draw_line(axes: Axes, line: Sequence[Row], law: Row | None, entry: Entry) -> None:
    """The measured ratios with their intervals, and the law as a line through them."""
    look = {"color": entry.stroke.colour, "zorder": entry.line["zorder"]}
    drawn = [row for row in line if row["variance_ratio"]]
    if drawn and entry is not _OTHERS:
        x, y, low, high = zip(*(_bar(row) for row in drawn), strict=True)
        axes.plot(x, y, entry.stroke.marker, **look)
        if entry is _WHOLE:
            axes.vlines(x, low, high, linewidth=1.2, **look)
    zeros = [number(row, "probes") or 0 for row in line if row["variance_ratio"] == 0]
    if zeros:
        axes.plot(zeros, [0] * len(zeros), entry.stroke.marker or ".", clip_on=False,
                  transform=axes.get_xaxis_transform(), **look)  # fmt: skip
    at_one = None if law is None else number(law, "ratio_at_one_probe")
    if law is not None and at_one is not None:
        power = number(law, "exponent")
        ends = axes.get_xlim()
        values = [at_one * r ** (-1.0 if power is None else power) for r in ends]
        axes.plot(ends, values, linewidth=entry.line["linewidth"] * 0.7, scaley=False, **look)


def _bar(row: Row) -> tuple[float, float, float, float]:
    """Probes, ratio, and its interval: the ratio itself where none is known, or none is drawn."""
    ratio = number(row, "variance_ratio") or 0.0
    low, high = (number(row, f"variance_ratio_{end}") or ratio for end in ("low", "high"))
    if row["layer"] != ALL_LAYERS:
        low = high = ratio
    return number(row, "probes") or 0, ratio, low, high


def _notes(setting: Setting, rows: Sequence[Row], laws: Laws) -> list[str]:
    found = [law for row in rows if (law := law_of(laws, row)) is not None]
    is_fitted = any(law["exponent"] is not None for law in found)
    notes = [
        "ratio 1: the estimator adds as much variance as minibatches have anyway",
        "bars: 95 % confidence intervals of all layers together",
        "lines: fitted laws, ratio ∝ rᵖ" if is_fitted else "lines: ratio ∝ 1/r, the theory",
    ]
    if any(row["variance_ratio"] == 0 for row in rows):
        notes.append("points on the lower edge: the gradient is exact there")
    return [*notes, *failures_of(setting)]
