"""Describe the pictures of variance ratios: the estimator's over that of minibatches."""

from collections.abc import Iterator, Sequence

from xconv_bench.report.canvas import axes, curves, style
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.settings import Comparable, by_estimator, by_layer, failures_of, number
from xconv_bench.report.summary import Row
from xconv_bench.report.variance_laws import Laws, law_of
from xconv_bench.results.schema import ALL_LAYERS

_AS_NOISY_AS_SGD = 1.0
_ROOM_FOR_WORDS = 1.6
_SHADE = "#f3ece4"
_BAR_WIDTH = 1.2
_LAW_WIDTH = 0.7
"""Share of the width in the legend."""


def variance_ratio(
    setting: Comparable, laws: Laws, layers: Sequence[str] | None
) -> curves.Curves | None:
    """Describe a panel for each estimator, a line for each layer; None without an estimate."""
    measured = [row for row in setting.rows if row["probes"] and row["variance_ratio"] is not None]
    found = {name: by_layer(rows, layers) for name, rows in by_estimator(measured).items()}
    panels = {name: groups for name, groups in found.items() if groups}
    rows = [row for groups in panels.values() for some in groups.values() for row in some]
    points = [_point(row) for row in rows if row["variance_ratio"]]
    if not points:
        return None
    known = [law for row in rows if (law := law_of(laws, row)) is not None]
    target = number(known[0], "target_ratio") or 1.0 if known else _AS_NOISY_AS_SGD
    *few, _ = shown.few_layers(setting.rows, layers)
    named = shown.layer_looks({layer: shown.panel_title(layer) for layer in few})
    looks = shown.looks_of(setting.rows)
    others = [shown.OTHER_LAYERS] if any(row["layer"] not in named for row in rows) else []
    x = axes.counted("probes r", (number(row, "probes") or 0 for row in rows))
    y = _heights(points, target)

    def panel(name: str) -> curves.Panel:
        marks = _levels(x, y, target)
        for layer, some in panels[name].items():
            marks += _marks(some, law_of(laws, some[0]), named.get(layer, shown.OTHER_LAYERS), x)
        return curves.Panel(marks, name, looks[name].colour)

    return curves.Curves(
        f"Noise of the estimator over that of minibatches: {setting.title}",
        x,
        y,
        list(map(panel, panels)),
        [*named.values(), *others, style.Look(f"target {target:g}", style.EXACT)],
        [*_notes(rows, known), *failures_of(setting)],
        panel_inches=3.4,
    )


def _point(row: Row) -> curves.Point:
    """Return the ratio with its interval, where one is known and drawn."""
    ratio = number(row, "variance_ratio") or 0.0
    low, high = (number(row, f"variance_ratio_{end}") or ratio for end in ("low", "high"))
    if row["layer"] != ALL_LAYERS:
        low = high = ratio
    return curves.Point(number(row, "probes") or 0, ratio, ratio - low, high - ratio)


def _heights(points: Sequence[curves.Point], target: float) -> axes.Axis:
    """Return an axis that holds all ratios with their intervals, and both sides of a ratio of 1."""
    ends = [end for point in points for end in (point.y - point.below, point.y + point.above)]
    ends += [target, max(*shown.placed(ends), target) * _ROOM_FOR_WORDS, _AS_NOISY_AS_SGD / 2]
    return axes.logarithmic("estimator / sampling variance", ends)


def _levels(x: axes.Axis, y: axes.Axis, target: float) -> list[curves.Overlay]:
    (_, top) = y.ends or (0.0, 1.0)
    return [
        curves.Band(x.ends or (), [_AS_NOISY_AS_SGD] * 2, [top] * 2, _SHADE, zorder=0),
        curves.Level(target),
        curves.PlacedWords("noisier than SGD itself", (1, 1), (-3, -3), "right", "top",
                           "axes fraction", is_small=True),
    ]  # fmt: skip


def _marks(
    rows: Sequence[Row], law: Row | None, own: style.Look, x: axes.Axis
) -> Iterator[curves.Overlay]:
    """Yield the measured ratios of a layer, and the law as a line through them."""
    zorder, line = own.line["zorder"], sorted(map(_point, rows))
    if own is shown.OTHER_LAYERS:
        dots = style.look(own.colour, ".", zorder=zorder)
        yield curves.Edge([point.x for point in line if point.y == 0], dots)
    else:
        dots = style.look(
            own.colour, own.stroke.marker, "none", zorder=zorder, linewidth=_BAR_WIDTH
        )
        yield curves.Line(line, dots)
    at_one = None if law is None else number(law, "ratio_at_one_probe")
    if law is not None and at_one is not None:
        power, width = number(law, "exponent"), own.line["linewidth"] * _LAW_WIDTH
        through = style.look(own.colour, zorder=zorder, linewidth=width)
        yield shown.power_law(x, at_one, -1.0 if power is None else power, through)


def _notes(rows: Sequence[Row], laws: Sequence[Row]) -> list[str]:
    is_fitted = any(law["exponent"] is not None for law in laws)
    edge = any(row["variance_ratio"] == 0 for row in rows)
    return [
        "ratio 1: the estimator adds as much variance as minibatches have anyway",
        "bars: 95 % confidence intervals of all layers together",
        "lines: fitted laws, ratio ∝ rᵖ" if is_fitted else "lines: ratio ∝ 1/r, the theory",
        *([shown.ON_THE_EDGE] if edge else []),
    ]
