"""Describe the pictures of ``error.csv``: errors against probes, and against what is saved."""

from collections.abc import Iterable, Sequence
from functools import partial
from math import log
from pathlib import Path
from statistics import fmean

from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.axes import counted, logarithmic
from xconv_bench.report.canvas.curves import Curves, Level, Panel, Point
from xconv_bench.report.canvas.frame import Look
from xconv_bench.report.error_figures import is_exact
from xconv_bench.report.notes import failures_of
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.settings import (
    Setting,
    by_estimator,
    by_layer,
    is_reference,
    number,
    of_network,
)
from xconv_bench.report.summary import Row
from xconv_bench.report.units import bytes_unit, format_bytes
from xconv_bench.report.words import dial_words
from xconv_bench.results.columns import ALL_LAYERS, ERROR_KEY

_MOST_NAMED_LAYERS = 8
_ABOVE_THE_LINES = 1.5
_ROOM_FOR_WORDS = 0.85
_ERROR = "relative_error"
_NOTE = "error: distance from the exact gradient, root mean square, relative to it"

_WHOLE = Look("all layers together", style.Stroke(style.INK, "o"), {"linewidth": 2.6, "zorder": 4})
_OTHERS = Look("other layers", style.Stroke("#cfcfcf", ""), {"linewidth": 0.8, "zorder": 1})
_NAMED = {"linewidth": 1.3, "zorder": 3}
_ROUNDED = Look("exact layers, rounded", style.EXACT)


def plot_error(
    rows: Sequence[Row], folder: Path, layers: Sequence[str] | None = None
) -> list[Path]:
    """Draw ``error.png`` and ``error_bytes.png`` in ``folder``, SVG beside them; return the paths.

    The first shows the errors in ``rows``, as ``Table.rows`` returns them, against the number of
    probes: a panel an estimator, a line a layer, of ``layers`` only where they are given. The
    second shows that of the whole network against what it saves. Rows of several settings make
    a picture each, told apart by the ends of their names. Nothing is drawn of a setting in which
    no estimator has an error.

    Raises BenchError where a file cannot be written.
    """
    by_probes = partial(error_by_probes, layers=layers)
    return shown.draw_settings(
        rows, ERROR_KEY, folder, {"error": by_probes, "error_bytes": error_by_bytes}
    )


def error_by_probes(setting: Setting, layers: Sequence[str] | None) -> Curves | None:
    """Describe a panel for each estimator; None where no estimator has an error."""
    make = shown.point_of("probes", _ERROR)
    found = {
        name: shown.lines_of(by_layer(rows, layers), make)
        for name, rows in by_estimator(_known(setting.rows)).items()
    }
    panels = {name: lines for name, lines in found.items() if lines}
    points = shown.points_in(panels.values())
    errors = shown.heights(points)
    if not errors:
        return None
    named = _named(list(panels.values()))
    others = (
        [_OTHERS] if any(name not in named for lines in panels.values() for name in lines) else []
    )
    # At half precision torch's own layers have an error, too.
    exact = [row for row in of_network(setting.rows) if is_reference(row) and not is_exact(row)]
    floor = [error for row in exact if (error := number(row, _ERROR))]
    x, top = counted("probes r", (point.x for point in points)), max(errors) * _ABOVE_THE_LINES
    below = shown.slope(x, top, -0.5, "∝ 1/√r") if len(x.ticks or ()) > 1 else []
    below += [Level(error) for error in floor]
    looks = shown.looks_of(setting.rows)
    return Curves(
        f"Error of the weight gradients: {setting.title}",
        x,
        logarithmic("relative error", [*errors, *floor, top]),
        [
            Panel([*below, *shown.marks(lines, named, _OTHERS)], name, looks[name].stroke.colour)
            for name, lines in panels.items()
        ],
        [*named.values(), *others, *([_ROUNDED] if floor else [])],
        _notes(setting, points),
        panel_inches=3.1,
    )


def error_by_bytes(setting: Setting) -> Curves | None:
    """Describe a line of the whole network for each estimator; None where none has an error."""
    saved = [row for row in of_network(_known(setting.rows)) if number(row, "saved_bytes")]
    exact = [size for row in saved if is_reference(row) and (size := number(row, "saved_bytes"))]
    rows = [row for row in saved if not is_reference(row) and number(row, _ERROR) is not None]
    sizes = [*exact, *(number(row, "saved_bytes") or 0 for row in rows)]
    unit = bytes_unit(max(sizes, default=0))
    make = shown.point_of("saved_bytes", _ERROR, (unit.size, 1), dial_words)
    lines = shown.lines_of(by_estimator(rows), make)
    points = shown.points_in([lines])
    errors = shown.heights(points)
    if not errors:
        return None
    looks = shown.looks_of(rows)
    levels = [Level(size / unit.size, f"exact: {format_bytes(size)}", "x") for size in exact]
    return Curves(
        f"Error of the weight gradients, and what is saved for it: {setting.title}",
        logarithmic(f"saved by the whole network ({unit.name})", [s / unit.size for s in sizes]),
        logarithmic("relative error", [*errors, min(errors) * _ROOM_FOR_WORDS]),
        [Panel([*levels, *shown.marks(lines, looks, has_words=True)])],
        [looks[name] for name in lines],
        _notes(setting, points),
        panel_inches=3.9,
    )


def _known(rows: Iterable[Row]) -> list[Row]:
    """Return the rows with an error of 0 where it is no more than rounding."""
    return [{**row, _ERROR: 0.0} if is_exact(row) else row for row in rows]


def _named(panels: Sequence[shown.Lines]) -> dict[str, Look]:
    """Return the looks of the layers that the legend names: all of a few, or those that matter."""
    found = dict.fromkeys(layer for lines in panels for layer in lines)
    layers = [layer for layer in found if layer != ALL_LAYERS]
    words = {layer: layer for layer in layers}
    if len(layers) > _MOST_NAMED_LAYERS:
        roles = _roles(layers, panels)
        words = {each: f"{each} ({', '.join(roles[each])})" for each in layers if each in roles}
    named = {
        layer: Look(text, stroke, _NAMED)
        for (layer, text), stroke in zip(words.items(), style.graded(len(words)), strict=True)
    }
    return {**named, ALL_LAYERS: _WHOLE}


def _roles(layers: Sequence[str], panels: Sequence[shown.Lines]) -> dict[str, list[str]]:
    """Return the first and the last layer, and those with the largest and the smallest error.

    Errors are compared at the fewest probes, where the fewest gradients are exact: their geometric
    mean over the estimators.
    """
    fewest = min(point.x for point in shown.points_in(panels))
    sizes = {}
    for layer in layers:
        line = [point for lines in panels for point in lines.get(layer, []) if point.x == fewest]
        if errors := shown.heights(line):
            sizes[layer] = fmean(map(log, errors))
    roles: dict[str, list[str]] = {layers[0]: ["first"], layers[-1]: ["last"]}
    if sizes:
        roles.setdefault(max(sizes, key=sizes.__getitem__), []).append("largest error")
        roles.setdefault(min(sizes, key=sizes.__getitem__), []).append("smallest error")
    return roles


def _notes(setting: Setting, points: Iterable[Point]) -> list[str]:
    edge = [shown.ON_THE_EDGE] if any(point.y == 0 for point in points) else []
    return [_NOTE, shown.BARS, *edge, *failures_of(setting)]
