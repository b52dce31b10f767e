"""Single weights: estimates beside the exact gradient and its band, as figure 3a of the paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.frame import Entry, framed
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.settings import Setting, by_estimator, number, settings_of, strokes_of
from xconv_bench.report.summary import Row
from xconv_bench.report.variance_layers import panel_title
from xconv_bench.results.schema import TABLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_PANEL_INCHES = 2.1
_MOST_PROBES = 3
_ABREAST = 3
_BAND = "#c9c9c9"
_REACH = 3.0
"""Half the height of a panel, in that of the highest bound of the exact gradients."""

_SETTING = tuple(column for column in TABLES["estimates"].key if column != "weight_index")


def plot_estimates(
    rows: Sequence[Row], folder: Path, layers: Sequence[str] | None = None
) -> list[Path]:
    """Draw ``estimates.png`` and ``estimates.svg`` in ``folder`` and return their paths.

    A panel for each estimator and number of probes, three numbers at most: single estimates in
    ``rows``, as ``Table.rows`` returns them, over the exact gradient with the band that holds 99 %
    of its minibatches. Of each setting the first layer; of ``layers`` those of which single weights
    were kept, a picture each. Pictures of several settings are told apart by their names' ends.

    Raises BenchError where a file cannot be written.
    """
    written: list[Path] = []
    with fixed_settings():
        for setting in settings_of((row for row in rows if _is_drawn(row)), _SETTING):
            shown = _layers(setting.rows, layers)
            for number_of_layer, layer in enumerate(shown):
                picture = _draw(setting, layer)
                end = f"_layer{number_of_layer + 1}" if len(shown) > 1 else ""
                written += save(picture, folder, f"estimates{setting.suffix}{end}")
    return written


def _is_drawn(row: Row) -> bool:
    return bool(row["probes"]) and number(row, "estimate") is not None


def _layers(rows: Sequence[Row], layers: Sequence[str] | None) -> list[str]:
    found = list(dict.fromkeys(str(row["layer"]) for row in rows))
    return [layer for layer in found if layers and layer in layers] or found[:1]


def _draw(setting: Setting, layer: str) -> Picture:
    panels = list(_panels([row for row in setting.rows if row["layer"] == layer]))
    strokes = strokes_of(setting.rows)
    bounds = [abs(b) for _, _, some in panels for row in some for b in _band(row)]
    reach = _REACH * (max(bounds, default=0.0) or 1.0)
    outside = sum(abs(number(r, "estimate") or 0.0) > reach for _, _, some in panels for r in some)
    picture, axes = framed(
        f"Gradients of single weights, {panel_title(layer)}: {setting.title}",
        "gradient",
        [Entry("exact, mean of the minibatches", style.Stroke(style.INK, ""), {}),
         Entry("99 % of the minibatches", style.Stroke(_BAND, ""), {"linewidth": 7})],
        _notes(outside),
        len(panels),
        _PANEL_INCHES,
    )  # fmt: skip
    for panel, (name, probes, some) in zip(axes, panels, strict=True):
        panel.set_title(f"{name} r={probes}", color=strokes[name].colour)
        panel.set_ylim(-reach, reach)
        panel.set_xticks([])
        _draw_panel(panel, some, strokes[name])
    return picture


def _panels(rows: Sequence[Row]) -> Iterator[tuple[str, int, list[Row]]]:
    """Estimator, probes, and rows by the exact gradient; so ordered that rows of panels align."""
    estimators = by_estimator(rows)
    counts = _few(sorted({int(number(row, "probes") or 0) for row in rows}))
    cells = [(name, probes) for name in estimators for probes in counts]
    if len(estimators) >= _ABREAST:
        cells.sort(key=lambda cell: cell[1])
    for name, probes in cells:
        some = [row for row in estimators[name] if row["probes"] == probes]
        if some:
            yield name, probes, sorted(some, key=lambda row: number(row, "exact_gradient") or 0.0)


def _few(counts: Sequence[int]) -> list[int]:
    """The fewest, the most and one between."""
    if len(counts) <= _MOST_PROBES:
        return list(counts)
    return [counts[0], counts[ceil(len(counts) / 2) - 1], counts[-1]]


def _band(row: Row) -> list[float]:
    """The exact gradient and its bounds, as far as they are known."""
    found = [number(row, name) for name in ("exact_gradient", "exact_low", "exact_high")]
    return [value for value in found if value is not None and isfinite(value)]


def _draw_panel(axes: Axes, rows: Sequence[Row], stroke: style.Stroke) -> None:
    places = range(len(rows))
    exact, low, high, estimate = (
        [number(row, name) or 0.0 for row in rows]
        for name in ("exact_gradient", "exact_low", "exact_high", "estimate")
    )
    axes.fill_between(places, low, high, color=_BAND, linewidth=0)
    axes.plot(places, exact, color=style.INK, linewidth=1)
    reach = axes.get_ylim()[1]
    inside = [(x, y) for x, y in zip(places, estimate, strict=True) if abs(y) <= reach]
    for x, y in inside:
        axes.plot(x, y, stroke.marker, color=stroke.colour, markersize=3)
    for x, y in zip(places, estimate, strict=True):
        if abs(y) > reach:
            axes.plot(x, 1 if y > 0 else 0, "^" if y > 0 else "v", color=stroke.colour,
                      markersize=4, markerfacecolor="none", clip_on=False,
                      transform=axes.get_xaxis_transform())  # fmt: skip


def _notes(outside: int) -> list[str]:
    notes = ["across: weights spread over the layer, from the smallest exact gradient to the "
             "largest", "points: one estimate each, of one minibatch"]  # fmt: skip
    return [*notes, "hollow, on the edges: beyond them"] if outside else notes
