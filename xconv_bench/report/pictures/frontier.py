"""Describe the pictures of ``frontier.csv``: error and time of a step against its peak memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from xconv_bench.amounts import Scale, bytes_scale, seconds_scale
from xconv_bench.naming import dial_words, estimator_words
from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.axes import Axis, logarithmic
from xconv_bench.report.canvas.curves import Curves, Line, Panel, Point
from xconv_bench.report.canvas.style import Look
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.rows import (
    Beside,
    Comparable,
    Row,
    by_estimator,
    failures_of,
    number,
)
from xconv_bench.results.schema.column import Unit
from xconv_bench.results.schema.frontier import FRONTIER
from xconv_bench.results.schema.memory import MEMORY

_ROOM_FOR_WORDS = 0.8
_FRONT = Look("the front", style.Stroke(style.INK, "", (0, (1, 1.5))), {"linewidth": 1.0})
_STEPS = {"drawstyle": "steps-post", "zorder": 2}
_HOLLOW = {"markerfacecolor": "white", "zorder": 4}


@dataclass(frozen=True)
class _Cost:
    """Name what is set against memory: its column, and the column of what beats it."""

    column: str
    name: str
    title: str
    beaten: str
    note: str


_COSTS = {
    "frontier_error": _Cost(
        "relative_error",
        "relative error",
        "Error of the weight gradients against peak memory",
        "beaten_in_error_by",
        "points on the lower edge: the gradient is exact",
    ),
    "frontier_time": _Cost(
        "step_seconds",
        "step",
        "Time of a step against peak memory",
        "beaten_in_time_by",
        "step: forward, loss and backward, median",
    ),
}


def against_memory(setting: Comparable, beside: Beside, cost: _Cost) -> Curves | None:
    """Describe a line for each method over its knobs; hollow points are beaten by another.

    There is nothing to show where the cost was not measured.
    """
    rows = [r for r in setting.rows if r["peak_bytes"] and number(r, cost.column) is not None]
    values = [value for row in rows if (value := number(row, cost.column))]
    if not values:
        return None
    named = (str(row["peak_meter"]) for row in rows)
    meter = next((MEMORY[name] for name in named if name in MEMORY.names), FRONTIER["peak_bytes"])
    peaks = [number(row, "peak_bytes") or 0.0 for row in rows]
    memory = bytes_scale(max(peaks))
    is_time = FRONTIER[cost.column].unit is Unit.SECONDS
    time = seconds_scale(max(values)) if is_time else Scale("", 1, 0)
    least, most = min(values) * _ROOM_FOR_WORDS / time.size, max(values) / time.size
    x = logarithmic(f"{meter.heading} ({memory.name})", peaks, memory.size)
    y = logarithmic(f"{cost.name} ({time.name})" if time.name else cost.name, [least, most])
    make = shown.point_of("peak_bytes", cost.column, (memory.size, time.size), _dial_or_name)
    looks = shown.looks_of(rows)
    return Curves(
        f"{cost.title}: {setting.title}",
        x,
        y,
        [Panel([*_front(rows, cost, make, x, y), *_methods(rows, cost, make, looks)])],
        [*looks.values(), _FRONT],
        [
            "hollow points are beaten by another method", cost.note,
            f"{meter.heading}: {meter.meaning}", *failures_of(setting),
        ],
        panel_inches=4.3,
    )  # fmt: skip


def _dial_or_name(row: Row) -> str:
    return dial_words(row) or estimator_words(row)


def _front(rows: Sequence[Row], cost: _Cost, make: shown.Make, x: Axis, y: Axis) -> Iterator[Line]:
    """Yield steps: with more memory than a point of the front needs, its cost is to be had too."""
    front = [row for row in rows if row[cost.beaten] is None]
    (bottom, _), (_, right) = y.ends or (0, 0), x.ends or (0, 0)
    for line in shown.lines_of({"": front}, make).values():
        places = sorted((point.x, max(point.y, bottom)) for point in line)
        steps = [Point(*place) for place in [*places, (right, places[-1][1])]]
        yield Line(steps, replace(_FRONT, line={**_FRONT.line, **_STEPS}))


def _methods(
    rows: Sequence[Row], cost: _Cost, make: shown.Make, looks: Mapping[str, Look]
) -> Iterator[Line]:
    """Yield the line of each method, and over it its hollow points."""
    beaten = shown.lines_of(by_estimator(row for row in rows if row[cost.beaten]), make)
    for name, line in shown.lines_of(by_estimator(rows), make).items():
        look = looks[name]
        yield Line(line, replace(look, line={"zorder": 3}))
        hollow = Look(name, replace(look.stroke, dashes="none"), _HOLLOW)
        yield Line([point._replace(words="") for point in beaten.get(name, [])], hollow)


frontier = shown.by_setting(
    FRONTIER.key, {name: partial(against_memory, cost=cost) for name, cost in _COSTS.items()}
)
