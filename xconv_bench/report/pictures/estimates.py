"""Describe the pictures of ``estimates.csv``: single weights beside the exact gradient's band.

They are figure 3a of the paper.
"""

from collections.abc import Iterator, Sequence
from math import ceil, isfinite
from pathlib import Path

from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.axes import Axis
from xconv_bench.report.canvas.curves import Band, Curves, Edge, Line, Mark, Panel, Point
from xconv_bench.report.canvas.files import draw
from xconv_bench.report.canvas.frame import Look
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.settings import Setting, by_estimator, number, settings_of
from xconv_bench.report.summary import Row
from xconv_bench.results.columns import ESTIMATES_KEY

_MOST_PROBES = 3
_ABREAST = 3
_REACH = 3.0
"""Half the height of a panel, in that of the highest bound of the exact gradients."""

_SETTING = tuple(column for column in ESTIMATES_KEY if column != "weight_index")
_MEAN = Look("exact, mean of the minibatches", style.Stroke(style.INK, ""))
_BAND = Look("99 % of the minibatches", style.Stroke("#c9c9c9", ""), {"linewidth": 7})
_NOTES = (
    "across: weights spread over the layer, from the smallest exact gradient to the largest",
    "points: one estimate each, of one minibatch",
)


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
    kept = [row for row in rows if row["probes"] and number(row, "estimate") is not None]
    return draw(
        (
            (f"estimates{setting.suffix}{end}", estimates(setting, layer))
            for setting in settings_of(kept, _SETTING)
            for end, layer in _layers(setting.rows, layers).items()
        ),
        folder,
    )


def _layers(rows: Sequence[Row], layers: Sequence[str] | None) -> dict[str, str]:
    """Return the layers that are drawn, by the ends of the names of their pictures."""
    found = list(dict.fromkeys(str(row["layer"]) for row in rows))
    drawn = [layer for layer in found if layers and layer in layers] or found[:1]
    is_several = len(drawn) > 1
    return {f"_layer{n}" if is_several else "": layer for n, layer in enumerate(drawn, 1)}


def estimates(setting: Setting, layer: str) -> Curves:
    """Describe a panel for each estimator and number of probes."""
    panels = list(_panels([row for row in setting.rows if row["layer"] == layer]))
    looks = shown.looks_of(setting.rows)
    every = [row for _, _, rows in panels for row in rows]
    reach = _REACH * (max((bound for row in every for bound in _bounds(row)), default=0.0) or 1.0)
    is_beyond = any(abs(number(row, "estimate") or 0.0) > reach for row in every)
    return Curves(
        f"Gradients of single weights, {shown.panel_title(layer)}: {setting.title}",
        Axis(ticks={}),
        Axis("gradient", (-reach, reach)),
        [
            Panel(list(_marks(rows, looks[name].stroke, reach)), f"{name} r={probes}",
                  looks[name].stroke.colour)
            for name, probes, rows in panels
        ],
        [_MEAN, _BAND],
        [*_NOTES, *(["hollow, on the edges: beyond them"] if is_beyond else [])],
        panel_inches=2.1,
    )  # fmt: skip


def _panels(rows: Sequence[Row]) -> Iterator[tuple[str, int, list[Row]]]:
    """Yield estimator, probes, and rows by the exact gradient, so that panels align."""
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
    """Return the fewest, the most and one between."""
    if len(counts) <= _MOST_PROBES:
        return list(counts)
    return [counts[0], counts[ceil(len(counts) / 2) - 1], counts[-1]]


def _bounds(row: Row) -> list[float]:
    """Return how far the exact gradient and its bounds are from 0, as far as they are known."""
    found = [number(row, name) for name in ("exact_gradient", "exact_low", "exact_high")]
    return [abs(value) for value in found if value is not None and isfinite(value)]


def _marks(rows: Sequence[Row], stroke: style.Stroke, reach: float) -> Iterator[Mark]:
    """Yield the band, the mean in it, the estimates, and on the edges those beyond them."""
    places = range(len(rows))
    mean, low, high, estimate = (
        [number(row, name) or 0.0 for row in rows]
        for name in ("exact_gradient", "exact_low", "exact_high", "estimate")
    )
    yield Band(places, low, high, _BAND.stroke.colour)
    yield Line(
        [Point(*at) for at in zip(places, mean, strict=True)],
        Look("", _MEAN.stroke, {"linewidth": 1}),
    )
    found = [Point(*at) for at in zip(places, estimate, strict=True)]
    points = Look("", style.Stroke(stroke.colour, stroke.marker, "none"), {"markersize": 3})
    yield Line([point for point in found if abs(point.y) <= reach], points)
    for is_upper, marker in ((True, "^"), (False, "v")):
        beyond = [p.x for p in found if abs(p.y) > reach and (p.y > 0) is is_upper]
        hollow = {"markersize": 4, "markerfacecolor": "none"}
        yield Edge(beyond, Look("", style.Stroke(stroke.colour, marker), hollow), is_upper)
