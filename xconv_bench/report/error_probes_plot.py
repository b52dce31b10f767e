"""The error of weight gradients against the number of probes, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import log
from statistics import fmean
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.frame import Entry, framed
from xconv_bench.report.log_axes import Point, draw_line, draw_slope, plain_axis, probes_axis
from xconv_bench.report.notes import failures_of
from xconv_bench.report.settings import (
    Setting,
    by_estimator,
    by_layer,
    is_exact,
    is_reference,
    number,
    of_network,
    strokes_of,
)
from xconv_bench.report.summary import Row
from xconv_bench.results.schema import ALL_LAYERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

Curves = Mapping[str, list[Point]]
"""By layer, the errors against probes; 0 where the gradient is exact."""

_PANEL_INCHES = 3.1
_MOST_NAMED_LAYERS = 8
_ABOVE_THE_LINES = 1.5

_WHOLE = Entry("all layers together", style.Stroke(style.INK, "o"), {"linewidth": 2.6, "zorder": 4})
_OTHERS = Entry("other layers", style.Stroke("#cfcfcf", ""), {"linewidth": 0.8, "zorder": 1})


def draw_error_probes(setting: Setting, layers: Sequence[str] | None) -> Picture | None:
    """A panel for each estimator; None where no estimator has an error."""
    found = {name: _curves(rows, layers) for name, rows in by_estimator(setting.rows).items()}
    panels = {name: curves for name, curves in found.items() if curves}
    points = [point for curves in panels.values() for line in curves.values() for point in line]
    errors = [error for _, error, _ in points if error]
    if not errors:
        return None
    strokes = strokes_of(setting.rows)
    named = _named(list(panels.values()))
    floor = _rounding(setting)
    picture, axes = framed(
        f"Error of the weight gradients: {setting.title}",
        "relative error",
        _legend(named, panels.values(), floor),
        _notes(setting, points),
        len(panels),
        _PANEL_INCHES,
    )
    counts = sorted({int(x) for x, _, _ in points})
    top = max(errors) * _ABOVE_THE_LINES
    for panel, (name, curves) in zip(axes, panels.items(), strict=True):
        panel.set_title(name, color=strokes[name].colour)
        probes_axis(panel, counts)
        plain_axis(panel, "y", min([*errors, *floor]), top)
        if len(counts) > 1:
            draw_slope(panel, top, -0.5, "∝ 1/√r")
        _draw_layers(panel, curves, named)
        for error in floor:
            panel.axhline(error, color=style.EXACT.colour, linestyle=style.EXACT.dashes)
    return picture


def _curves(rows: Sequence[Row], layers: Sequence[str] | None) -> Curves:
    curves = {}
    for layer, some in by_layer(rows, layers).items():
        points = [point for row in some if (point := _point(row)) is not None]
        if points:
            curves[layer] = sorted(points)
    return curves


def _point(row: Row) -> Point | None:
    probes, error = number(row, "probes"), number(row, "relative_error")
    if probes is None or error is None:
        return None
    return probes, 0.0 if is_exact(row) else error, number(row, "relative_error_se") or 0.0


def _named(panels: Sequence[Curves]) -> dict[str, Entry]:
    """How the layers look that the legend names: all if they are few, or else those that matter."""
    found = dict.fromkeys(layer for curves in panels for layer in curves)
    layers = [layer for layer in found if layer != ALL_LAYERS]
    words = {layer: layer for layer in layers}
    if len(layers) > _MOST_NAMED_LAYERS:
        roles = _roles(layers, panels)
        words = {
            layer: f"{layer} ({', '.join(roles[layer])})" for layer in layers if layer in roles
        }
    strokes = style.graded(len(words))
    named = {
        layer: Entry(text, stroke, {"linewidth": 1.3, "zorder": 3})
        for (layer, text), stroke in zip(words.items(), strokes, strict=True)
    }
    return {**named, ALL_LAYERS: _WHOLE}


def _roles(layers: Sequence[str], panels: Sequence[Curves]) -> dict[str, list[str]]:
    """The first and the last layer, and those with the largest and the smallest error.

    Errors are compared at the fewest probes, where the fewest gradients are exact: their geometric
    mean over the estimators.
    """
    fewest = min(x for curves in panels for line in curves.values() for x, _, _ in line)
    sizes = {}
    for layer in layers:
        line = [point for curves in panels for point in curves.get(layer, [])]
        errors = [error for probes, error, _ in line if probes == fewest and error]
        if errors:
            sizes[layer] = fmean(map(log, errors))
    roles: dict[str, list[str]] = {layers[0]: ["first"], layers[-1]: ["last"]}
    if sizes:
        roles.setdefault(max(sizes, key=sizes.__getitem__), []).append("largest error")
        roles.setdefault(min(sizes, key=sizes.__getitem__), []).append("smallest error")
    return roles


def _legend(
    named: Mapping[str, Entry], panels: Iterable[Curves], floor: Sequence[float]
) -> list[Entry]:
    has_others = any(layer not in named for curves in panels for layer in curves)
    return [
        *named.values(),
        *([_OTHERS] if has_others else []),
        *([Entry("exact layers, rounded", style.EXACT, {})] if floor else []),
    ]


def _draw_layers(panel: Axes, curves: Curves, named: Mapping[str, Entry]) -> None:
    for layer, points in curves.items():
        entry = named.get(layer, _OTHERS)
        draw_line(panel, points, entry.stroke, **entry.line)


def _rounding(setting: Setting) -> list[float]:
    """The error of torch's own layers at half precision, where there is one."""
    rows = [row for row in of_network(setting.rows) if is_reference(row) and not is_exact(row)]
    return [error for row in rows if (error := number(row, "relative_error"))]


def _notes(setting: Setting, points: Sequence[Point]) -> list[str]:
    notes = ["error: distance from the exact gradient, root mean square, relative to it"]
    notes.append("bars: standard errors")
    if any(error == 0 for _, error, _ in points):
        notes.append("points on the lower edge: the gradient is exact there")
    return [*notes, *failures_of(setting)]
