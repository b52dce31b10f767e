"""Describe the pictures of ``error.csv``: errors against probes, and against what is saved."""

from collections.abc import Iterator, Sequence
from math import log
from statistics import fmean

from xconv_bench.amounts import bytes_scale, format_bytes
from xconv_bench.naming import dial_words
from xconv_bench.report.canvas import axes, curves, style
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.settings import (
    Beside,
    Comparable,
    by_estimator,
    by_layer,
    failures_of,
    is_exact,
    is_reference,
    number,
    of_network,
    settings_of,
)
from xconv_bench.report.summary import Row
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.results.schema.error import ERROR

_MOST_NAMED_LAYERS = 8
_ABOVE_THE_LINES = 1.5
_ROOM_FOR_WORDS = 0.85
_ERROR, _SAVED = "relative_error", "saved_bytes"
_NOTES = (
    "error: distance from the exact gradient, root mean square, relative to it",
    shown.BARS,
)

_ROUNDED = style.Look("exact layers, rounded", style.EXACT)


def pictures(rows: Sequence[Row], beside: Beside) -> Iterator[shown.Named]:
    """Describe the errors of layers against probes, and the network's against what it saves."""
    for setting in settings_of(rows, ERROR.key):
        yield f"error{setting.suffix}", error_by_probes(setting, beside.layers)
        yield f"error_bytes{setting.suffix}", error_by_bytes(setting)


def error_by_probes(setting: Comparable, layers: Sequence[str] | None) -> curves.Curves | None:
    """Describe a panel for each estimator; None where no estimator has an error."""
    make = shown.point_of("probes", _ERROR, spread=ERROR[_ERROR].spread)
    found = {
        name: shown.lines_of(by_layer(rows, layers), make)
        for name, rows in by_estimator(_known(setting)).items()
    }
    panels = {name: lines for name, lines in found.items() if lines}
    points = shown.points_in(panels.values())
    errors = shown.heights(points)
    if not errors:
        return None
    looks, named = shown.looks_of(setting.rows), _named(list(panels.values()))
    others = [shown.OTHER_LAYERS] if any(lines.keys() - named for lines in panels.values()) else []
    # At half precision torch's own layers have an error, too.
    exact = [row for row in of_network(setting.rows) if is_reference(row) and not is_exact(row)]
    floor = [error for row in exact if (error := number(row, _ERROR))]
    x = axes.counted("probes r", (point.x for point in points))
    top = max(errors) * _ABOVE_THE_LINES
    below = shown.slope(x, top, -0.5, "∝ 1/√r") if len(x.ticks or ()) > 1 else []
    below += [curves.Level(error) for error in floor]
    drawn = {name: shown.marks(line, named, shown.OTHER_LAYERS) for name, line in panels.items()}
    return curves.Curves(
        f"Error of the weight gradients: {setting.title}",
        x,
        axes.logarithmic("relative error", [*errors, *floor, top]),
        [curves.Panel([*below, *marks], name, looks[name].colour) for name, marks in drawn.items()],
        [*named.values(), *others, *([_ROUNDED] if floor else [])],
        [*_NOTES, *shown.on_the_edge(points), *failures_of(setting)],
        panel_inches=3.1,
    )


def error_by_bytes(setting: Comparable) -> curves.Curves | None:
    """Describe a line of the whole network for each estimator; None where none has an error."""
    saved = [row for row in of_network(_known(setting)) if number(row, _SAVED)]
    rows = [row for row in saved if number(row, _ERROR) is not None]
    sizes = [number(row, _SAVED) or 0 for row in rows]
    exact = [size for row, size in zip(rows, sizes, strict=True) if is_reference(row)]
    unit = bytes_scale(max(sizes, default=0))
    make = shown.point_of(_SAVED, _ERROR, (unit.size, 1), dial_words, ERROR[_ERROR].spread)
    lines = shown.lines_of(by_estimator(row for row in rows if not is_reference(row)), make)
    points = shown.points_in([lines])
    errors = shown.heights(points)
    if not errors:
        return None
    looks = shown.looks_of(row for row in of_network(setting.rows) if not is_reference(row))
    levels = [curves.Level(size / unit.size, f"exact: {format_bytes(size)}", "x") for size in exact]
    return curves.Curves(
        f"Error of the weight gradients, and what is saved for it: {setting.title}",
        axes.logarithmic(f"saved by the whole network ({unit.name})", sizes, unit.size),
        axes.logarithmic("relative error", [*errors, min(errors) * _ROOM_FOR_WORDS]),
        [curves.Panel([*levels, *shown.marks(lines, looks, has_words=True)])],
        [looks[name] for name in lines],
        [*_NOTES, *shown.on_the_edge(points), *failures_of(setting)],
        panel_inches=3.9,
    )


def _known(setting: Comparable) -> list[Row]:
    """Return the rows with an error of 0 where it is no more than rounding."""
    return [{**row, _ERROR: 0.0} if is_exact(row) else row for row in setting.rows]


def _named(panels: Sequence[shown.Lines]) -> dict[str, style.Look]:
    """Return the looks of the layers that the legend names: all of a few, or those that matter."""
    found = dict.fromkeys(layer for lines in panels for layer in lines)
    layers = [layer for layer in found if layer != ALL_LAYERS]
    words = {layer: layer for layer in layers}
    if len(layers) > _MOST_NAMED_LAYERS:
        roles = _roles(layers, panels)
        words = {each: f"{each} ({', '.join(roles[each])})" for each in layers if each in roles}
    return shown.layer_looks(words)


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
