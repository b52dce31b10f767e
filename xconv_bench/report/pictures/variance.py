"""Describe the pictures of ``variance.csv``: deviations, and ratios to those of minibatches."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from xconv_bench.report.canvas import axes, curves, style
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.rows import (
    Beside,
    Comparable,
    Row,
    by_estimator,
    by_layer,
    failures_of,
    file_suffix,
    grouped,
    is_reference,
    number,
    settings_of,
)
from xconv_bench.report.variance_laws import (
    BATCHES_TOGETHER,
    Laws,
    deviation,
    law_of,
    laws_by_key,
    target_of,
)
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.results.schema.variance import VARIANCE

_PANEL_INCHES = 2.6
_EXACT = style.look(style.EXACT.colour, "x", style.EXACT.dashes, "exact", zorder=4)
_AS_NOISY_AS_SGD = 1.0
_ROOM_FOR_WORDS = 1.6
_SHADE = "#f3ece4"
_BAR_WIDTH = 1.2
_LAW_WIDTH = 0.7
"""Share of the width in the legend."""
_NOTE = "standard deviation over minibatches and seeds: √ of the variance summed over the weights"


def variance(rows: Sequence[Row], beside: Beside) -> Iterator[shown.Named]:
    """Describe deviations, a panel a layer, of those asked for or of a few; and ratios.

    Deviations are set against the batch size, a picture an estimator, with a single batch size
    against probes; the error at half precision beside that of rounding alone. Ratios are the
    estimator's variance over that of minibatches, with the laws fitted to them.
    """
    layers, laws = beside.layers, laws_by_key(beside.laws)
    for setting in settings_of(rows, BATCHES_TOGETHER):
        for end, picture in _deviations(setting, layers):
            yield f"variance{setting.suffix}{end}", picture
    for setting in settings_of(rows, VARIANCE.key):
        yield f"variance_ratio{setting.suffix}", variance_ratio(setting, laws, layers)
        rounding = against_probes(setting, layers, ROUNDING)
        yield f"variance_rounding{setting.suffix}", rounding


def _deviations(setting: Comparable, layers: Sequence[str] | None) -> Iterator[shown.Named]:
    """Yield pictures of the standard deviation, each with the end of its name."""
    if len({row["batch_size"] for row in setting.rows}) == 1:
        # The batch belongs in the title again.
        (single,) = settings_of(setting.rows, VARIANCE.key)
        yield "", against_probes(single, layers, DEVIATION)
        return
    names = [name for name, rows in by_estimator(setting.rows).items() if rows[0]["probes"]]
    for name in names:
        words = [word for word in name.split() if not all(word in each.split() for each in names)]
        yield file_suffix(words), against_batch(setting, name, layers)


@dataclass(frozen=True)
class Quantity:
    """Say what is drawn: the root of ``column``, and dashed that of exact gradients.

    ``level`` finds the latter among the rows of a layer, ``level_words`` names it.
    """

    title: str
    axis: str
    column: str
    level: Callable[[Iterable[Row]], float | None]
    level_words: str
    note: str


def _exact_deviation(rows: Iterable[Row]) -> float | None:
    """Return the standard deviation of exact gradients: of their own row, or as any row says."""
    for row in sorted(rows, key=is_reference, reverse=True):
        found = deviation(row, "total_variance" if is_reference(row) else "sampling_variance")
        if found is not None:
            return found.value
    return None


def _rounding(rows: Iterable[Row]) -> float | None:
    found = (deviation(row, "rounding_squared_error") for row in rows)
    return next((each.value for each in found if each is not None), None)


DEVIATION = Quantity(
    "Standard deviation of the gradient",
    "standard deviation",
    "total_variance",
    _exact_deviation,
    "exact gradients",
    _NOTE,
)

ROUNDING = Quantity(
    "Error at half precision",
    "distance from float64",
    "squared_error",
    _rounding,
    "torch's own layers, rounded",
    "distance: from the gradient in float64, root mean square over minibatches and seeds",
)


def against_probes(
    setting: Comparable, layers: Sequence[str] | None, quantity: Quantity
) -> curves.Curves | None:
    """Describe a panel a layer, a line an estimator; None without a line or a level."""
    panels: dict[str, shown.Lines] = {}
    levels: dict[str, float | None] = {}
    for layer in shown.few_layers(setting.rows, layers):
        rows = [row for row in setting.rows if row["layer"] == layer]
        if lines := shown.lines_of(by_estimator(rows), _maker("probes", quantity.column)):
            panels[layer], levels[layer] = lines, quantity.level(rows)
    if all(level is None for level in levels.values()):
        return None
    looks = shown.looks_of(setting.rows)
    names = dict.fromkeys(name for lines in panels.values() for name in lines)
    return curves.Curves(
        f"{quantity.title}: {setting.title}",
        *_layer_by_layer("probes r", quantity.axis, panels, looks, levels),
        [*(looks[name] for name in names), style.Look(quantity.level_words, style.EXACT)],
        [quantity.note, shown.BARS, *failures_of(setting)],
        _PANEL_INCHES,
    )


def against_batch(
    setting: Comparable, estimator: str, layers: Sequence[str] | None
) -> curves.Curves | None:
    """Describe a panel a layer, a line for each number of probes; None without a point.

    It is figure 3b of the paper.
    """
    own = by_estimator(setting.rows)[estimator]
    rows = [row for row in setting.rows if is_reference(row) or row in own]
    panels = {
        layer: _by_probes([row for row in rows if row["layer"] == layer])
        for layer in shown.few_layers(rows, layers)
    }
    if not shown.heights(shown.points_in(panels.values())):
        return None
    counts = sorted({*map(_probes, rows)} - {0})
    looks = {**style.graded({f"r={r}": f"r={r}" for r in counts}), _EXACT.label: _EXACT}
    return curves.Curves(
        f"Standard deviation of the gradient, {estimator}: {setting.title}",
        *_layer_by_layer("batch size", "standard deviation", panels, looks),
        list(looks.values()),
        [_NOTE, shown.BARS, *dict.fromkeys(failures_of(setting))],
        _PANEL_INCHES,
    )


def _layer_by_layer(
    across: str,
    up: str,
    found: Mapping[str, shown.Lines],
    looks: Mapping[str, style.Look],
    levels: Mapping[str, float | None] | None = None,
) -> tuple[axes.Axis, axes.Axis, list[curves.Panel]]:
    """Return both axes, and a panel for each layer: its lines over its level, if any."""
    levels = levels or {}
    points = shown.points_in(found.values())
    heights = [*shown.heights(points), *filter(None, levels.values())]
    panels = []
    for layer, lines in found.items():
        level = map(curves.Level, filter(None, [levels.get(layer)]))
        panels.append(curves.Panel([*level, *shown.marks(lines, looks)], shown.panel_title(layer)))
    x = axes.counted(across, (point.x for point in points))
    return x, axes.logarithmic(up, heights), panels


def _probes(row: Row) -> int:
    return int(number(row, "probes") or 0)


def _by_probes(rows: Sequence[Row]) -> shown.Lines:
    """Return the lines of a layer: one for each number of probes, and that of exact gradients."""
    groups = grouped(filter(_probes, rows), lambda row: f"r={_probes(row)}")
    lines = dict(shown.lines_of(groups, _maker("batch_size")))
    for batch in sorted({number(row, "batch_size") or 0 for row in rows}):
        if level := _exact_deviation(row for row in rows if row["batch_size"] == batch):
            lines[_EXACT.label] = [*lines.get(_EXACT.label, []), curves.Point(batch, level)]
    return lines


def _maker(x: str, column: str = "total_variance") -> shown.Make:
    def make(row: Row) -> curves.Point | None:
        across, found = number(row, x), deviation(row, column)
        if across is None or found is None or not found.value:
            return None
        return curves.Point(across, found.value, found.se or 0.0, found.se or 0.0)

    return make


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
    target = target_of(known[0]) if known else _AS_NOISY_AS_SGD
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
