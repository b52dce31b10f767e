"""Describe the pictures of errors: of ``error.csv``, ``age.csv``, ``estimates.csv``.

Average errors are figures 4 to 6 of the paper, single weights figure 3a.
"""

from collections.abc import Iterator, Sequence
from math import ceil, isfinite, log
from statistics import fmean

from xconv_bench.amounts import bytes_scale, format_bytes
from xconv_bench.naming import dial_words
from xconv_bench.report.canvas import axes, curves, style
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.rows import (
    Beside,
    Comparable,
    Row,
    by_estimator,
    by_layer,
    failures_of,
    is_exact,
    is_reference,
    number,
    of_network,
    settings_of,
)
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.results.schema.age import AGE
from xconv_bench.results.schema.error import ERROR
from xconv_bench.results.schema.estimates import ESTIMATES

_MOST_NAMED_LAYERS = 8
_ABOVE_THE_LINES = 1.5
_ROOM_FOR_WORDS = 0.85
_ERROR, _SAVED = "relative_error", "saved_bytes"
_NOTES = (
    "error: distance from the exact gradient, root mean square, relative to it",
    shown.BARS,
)
_ROUNDED = style.Look("exact layers, rounded", style.EXACT)
_AVERAGE = "average_gradient_error"
_ROOM_FOR_LEVEL_WORDS = 0.8
_AVERAGE_NOTES = (
    "error: mean over the minibatches of the squared distance of their gradient from the exact "
    "gradient of all samples",
    "dashed: exact gradients of minibatches",
    shown.BARS,
)
_MOST_PROBES = 3
_ABREAST = 3
_REACH = 3.0
"""Half the height of a panel, in that of the highest bound of the exact gradients."""
_WEIGHTS_KEY = tuple(column for column in ESTIMATES.key if column != "weight_index")
_MEAN = style.look(style.INK, label="exact, mean of the minibatches")
_BAND = style.look("#c9c9c9", label="99 % of the minibatches", linewidth=7)
_WEIGHTS_NOTES = (
    "across: weights spread over the layer, from the smallest exact gradient to the largest",
    "points: one estimate each, of one minibatch",
)


def error_by_probes(setting: Comparable, beside: Beside) -> curves.Curves | None:
    """Describe a panel for each estimator; None where no estimator has an error."""
    make = shown.point_of("probes", _ERROR, spread=ERROR[_ERROR].spread)
    found = {
        name: shown.lines_of(by_layer(rows, beside.layers), make)
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


def error_by_bytes(setting: Comparable, beside: Beside) -> curves.Curves | None:
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


def average_error(setting: Comparable, beside: Beside) -> curves.Curves | None:
    """Describe a line for each estimator; None where none has an error."""
    rows = of_network(setting.rows)
    batches_differ = len({row["batch_size"] for row in rows}) > 1

    def batch(row: Row) -> str:
        return f"batch {row['batch_size']}" if batches_differ else ""

    make = shown.point_of("probes", _AVERAGE, words=batch, spread=AGE[_AVERAGE].spread)
    lines = shown.lines_of(by_estimator(rows), make)
    points = shown.points_in([lines])
    errors = shown.heights(points)
    if not errors:
        return None
    exact = [row for row in rows if is_reference(row)]
    # With equal batches any row knows the error of exact gradients.
    known = [number(row, _AVERAGE) for row in exact]
    if not exact and not batches_differ:
        known = [number(row, f"exact_{_AVERAGE}") for row in rows]
    floors = [floor for floor in known if floor is not None and floor > 0][:1]
    name = ", ".join(filter(None, ["exact", *map(batch, exact[:1])]))
    levels = [curves.Level(floor, name) for floor in floors]
    room = [floor * _ROOM_FOR_LEVEL_WORDS for floor in floors]
    looks = shown.looks_of(rows)
    notes = shown.on_the_edge(points, "points on the lower edge: no error")
    if any(row[_AVERAGE] == 0 for row in exact):
        notes.append("exact: no error, a minibatch holds all samples")
    return curves.Curves(
        f"Average gradient error: {setting.title}",
        axes.counted("probes r", (point.x for point in points)),
        axes.logarithmic("average gradient error", [*errors, *floors, *room]),
        [curves.Panel([*levels, *shown.marks(lines, looks, has_words=True)])],
        [looks[name] for name in lines],
        [*_AVERAGE_NOTES, *notes, *failures_of(setting)],
        panel_inches=3.9,
    )


def estimates(rows: Sequence[Row], beside: Beside) -> Iterator[shown.Named]:
    """Describe estimates over the exact gradient and the band with 99 % of its minibatches.

    A panel for each estimator and number of probes, three numbers at most; of each setting the
    first layer, or those asked for of which single weights were kept, a picture each.
    """
    kept = [row for row in rows if row["probes"] and number(row, "estimate") is not None]
    for setting in settings_of(kept, _WEIGHTS_KEY):
        found = list(dict.fromkeys(str(row["layer"]) for row in setting.rows))
        layers = [layer for layer in found if layer in (beside.layers or ())] or found[:1]
        for count, layer in enumerate(layers, 1):
            end = f"_layer{count}" if len(layers) > 1 else ""
            yield f"estimates{setting.suffix}{end}", single_weights(setting, layer)


def single_weights(setting: Comparable, layer: str) -> curves.Curves:
    """Describe a panel for each estimator and number of probes."""
    panels = list(_weight_panels([row for row in setting.rows if row["layer"] == layer]))
    looks = shown.looks_of(setting.rows)
    every = [row for _, _, rows in panels for row in rows]
    reach = _REACH * (max((bound for row in every for bound in _bounds(row)), default=0.0) or 1.0)
    is_beyond = any(abs(number(row, "estimate") or 0.0) > reach for row in every)
    return curves.Curves(
        f"Gradients of single weights, {shown.panel_title(layer)}: {setting.title}",
        axes.Axis(ticks={}),
        axes.Axis("gradient", (-reach, reach)),
        [
            curves.Panel(list(_weight_marks(rows, looks[name].stroke, reach)), f"{name} r={probes}",
                         looks[name].colour)
            for name, probes, rows in panels
        ],
        [_MEAN, _BAND],
        [*_WEIGHTS_NOTES, *(["hollow, on the edges: beyond them"] if is_beyond else [])],
        panel_inches=2.1,
    )  # fmt: skip


def _weight_panels(rows: Sequence[Row]) -> Iterator[tuple[str, int, list[Row]]]:
    """Yield estimator, probes, and rows by the exact gradient, so that panels align."""
    estimators = by_estimator(rows)
    counts = sorted({int(number(row, "probes") or 0) for row in rows})
    if len(counts) > _MOST_PROBES:
        counts = [counts[0], counts[ceil(len(counts) / 2) - 1], counts[-1]]
    cells = [(name, probes) for name in estimators for probes in counts]
    if len(estimators) >= _ABREAST:
        cells.sort(key=lambda cell: cell[1])
    for name, probes in cells:
        some = [row for row in estimators[name] if row["probes"] == probes]
        if some:
            yield name, probes, sorted(some, key=lambda row: number(row, "exact_gradient") or 0.0)


def _bounds(row: Row) -> list[float]:
    """Return how far the exact gradient and its bounds are from 0, as far as they are known."""
    found = [number(row, name) for name in ("exact_gradient", "exact_low", "exact_high")]
    return [abs(value) for value in found if value is not None and isfinite(value)]


def _weight_marks(
    rows: Sequence[Row], stroke: style.Stroke, reach: float
) -> Iterator[curves.Overlay]:
    """Yield the band, the mean in it, the estimates, and on the edges those beyond them."""
    places = range(len(rows))
    mean, low, high, estimate = (
        [number(row, name) or 0.0 for row in rows]
        for name in ("exact_gradient", "exact_low", "exact_high", "estimate")
    )
    yield curves.Band(places, low, high, _BAND.colour)
    yield curves.Line(list(map(curves.Point, places, mean)), style.look(style.INK, linewidth=1))
    found = list(map(curves.Point, places, estimate))
    inside = [point for point in found if abs(point.y) <= reach]
    yield curves.Line(inside, style.look(stroke.colour, stroke.marker, "none", markersize=3))
    for is_upper, marker in ((True, "^"), (False, "v")):
        beyond = [p.x for p in found if abs(p.y) > reach and (p.y > 0) is is_upper]
        hollow = style.look(stroke.colour, marker, markersize=4, markerfacecolor="none")
        yield curves.Edge(beyond, hollow, is_upper)


error = shown.by_setting(ERROR.key, {"error": error_by_probes, "error_bytes": error_by_bytes})
age = shown.by_setting(AGE.key, {"age": average_error})
