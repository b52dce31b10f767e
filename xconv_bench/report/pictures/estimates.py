"""Describe the pictures of ``estimates.csv``: single weights beside the exact gradient's band.

They are figure 3a of the paper.
"""

from collections.abc import Iterator, Sequence
from math import ceil, isfinite

from xconv_bench.report.canvas import axes, curves, style
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.settings import Beside, Comparable, by_estimator, number, settings_of
from xconv_bench.report.summary import Row
from xconv_bench.results.schema import TABLES

_MOST_PROBES = 3
_ABREAST = 3
_REACH = 3.0
"""Half the height of a panel, in that of the highest bound of the exact gradients."""

_SETTING = tuple(column for column in TABLES["estimates"].key if column != "weight_index")
_MEAN = style.look(style.INK, label="exact, mean of the minibatches")
_BAND = style.look("#c9c9c9", label="99 % of the minibatches", linewidth=7)
_NOTES = (
    "across: weights spread over the layer, from the smallest exact gradient to the largest",
    "points: one estimate each, of one minibatch",
)


def pictures(rows: Sequence[Row], beside: Beside) -> Iterator[shown.Named]:
    """Describe estimates over the exact gradient and the band with 99 % of its minibatches.

    A panel for each estimator and number of probes, three numbers at most; of each setting the
    first layer, or those asked for of which single weights were kept, a picture each.
    """
    kept = [row for row in rows if row["probes"] and number(row, "estimate") is not None]
    for setting in settings_of(kept, _SETTING):
        found = list(dict.fromkeys(str(row["layer"]) for row in setting.rows))
        layers = [layer for layer in found if layer in (beside.layers or ())] or found[:1]
        for count, layer in enumerate(layers, 1):
            end = f"_layer{count}" if len(layers) > 1 else ""
            yield f"estimates{setting.suffix}{end}", estimates(setting, layer)


def estimates(setting: Comparable, layer: str) -> curves.Curves:
    """Describe a panel for each estimator and number of probes."""
    panels = list(_panels([row for row in setting.rows if row["layer"] == layer]))
    looks = shown.looks_of(setting.rows)
    every = [row for _, _, rows in panels for row in rows]
    reach = _REACH * (max((bound for row in every for bound in _bounds(row)), default=0.0) or 1.0)
    is_beyond = any(abs(number(row, "estimate") or 0.0) > reach for row in every)
    return curves.Curves(
        f"Gradients of single weights, {shown.panel_title(layer)}: {setting.title}",
        axes.Axis(ticks={}),
        axes.Axis("gradient", (-reach, reach)),
        [
            curves.Panel(list(_marks(rows, looks[name].stroke, reach)), f"{name} r={probes}",
                         looks[name].colour)
            for name, probes, rows in panels
        ],
        [_MEAN, _BAND],
        [*_NOTES, *(["hollow, on the edges: beyond them"] if is_beyond else [])],
        panel_inches=2.1,
    )  # fmt: skip


def _panels(rows: Sequence[Row]) -> Iterator[tuple[str, int, list[Row]]]:
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


def _marks(rows: Sequence[Row], stroke: style.Stroke, reach: float) -> Iterator[curves.Overlay]:
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
