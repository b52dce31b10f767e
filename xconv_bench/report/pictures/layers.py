"""Describe the pictures of ``layers.csv``: memory above the start along a training step.

They are figure 7 of the paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.axes import Axis
from xconv_bench.report.canvas.curves import Curves, Level, Line, Mark, Panel, Point, Words
from xconv_bench.report.canvas.frame import Look
from xconv_bench.report.layers_table import above_start, peak_of, steps_of
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.settings import Setting, is_reference
from xconv_bench.report.summary import Row
from xconv_bench.report.units import Unit, bytes_unit, format_bytes
from xconv_bench.report.words import status_words
from xconv_bench.results.columns import LAYERS_KEY

_MOST_LABELS = 12
_FEWEST_PARTS = 4
_ROOM = 1.12
_GAP = 0.045
"""Share of the width between two labels."""
_KEY = tuple(column for column in LAYERS_KEY if column != "position")
_TURN = Look("", style.Stroke(style.FAINT, ""), {"linewidth": 0.8})
_NOTE = "the most since the moment before; the start holds weights, gradients and the batch"


def plot_layers(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``layers.png`` and ``layers.svg`` for each setting, and return the paths.

    ``rows`` are as ``Table.rows`` returns them. A line for each method: forward from left to
    right, then backward. A layer has the same place for all methods; what is computed again lies
    between. Nothing is drawn of what was not measured. Raises BenchError where a file cannot be
    written.
    """
    return shown.draw_settings(rows, _KEY, folder, {"layers": memory_along})


def memory_along(setting: Setting) -> Curves | None:
    """Describe a line for each method; None where nothing was measured."""
    every = steps_of(setting)
    steps = {name: step for name, step in every.items() if peak_of(step) is not None}
    if not steps:
        return None
    order = _order(next(iter(steps.values())))
    most = max(above_start(row, "layer_peak_bytes") for step in steps.values() for row in step)
    unit = bytes_unit(most)
    looks = {
        name: _look(name, look, steps[name]) for name, look in shown.looks_by_name(steps).items()
    }
    marks = [
        mark for name, step in steps.items() for mark in _marks(step, order, unit, looks[name])
    ]
    failed = [name for name in every if name not in steps]
    return Curves(
        f"Memory along a training step: {setting.title}",
        _places(order),
        Axis(f"above the start ({unit.name})", (0, most / unit.size * _ROOM), has_grid=True),
        [Panel([*marks, *_turn(len(order) - 0.5)])],
        list(looks.values()),
        [_NOTE, *(f"{name}: {status_words(str(every[name][0]['status']))}" for name in failed)],
        panel_inches=3.6,
    )


def _look(name: str, look: Look, step: Sequence[Row]) -> Look:
    """Return the look of a line without points: there are too many."""
    stroke = style.EXACT if is_reference(step[0]) else replace(look.stroke, marker="")
    return Look(name, stroke)


def _order(step: Sequence[Row]) -> dict[str, int]:
    """Return the place of each layer in the forward pass, by its first run."""
    names = dict.fromkeys(str(row["layer"]) for row in step if row["phase"] == "forward")
    return {name: place for place, name in enumerate(names)}


def _marks(step: Sequence[Row], order: Mapping[str, int], unit: Unit, look: Look) -> list[Mark]:
    """Return the steps of a method's memory, and its peak in words."""
    points = []
    place, last = 0.0, 2 * len(order)
    for row in step:
        known = order.get(str(row["layer"]))
        if row["phase"] == "forward" and known is not None:
            place = max(place, float(known))
        elif row["phase"] == "backward":
            place = max(place, float(last - known if known is not None else last))
        points.append(Point(place, above_start(row, "layer_peak_bytes") / unit.size))
    peak = peak_of(step)
    assert peak is not None
    x, y, *_ = points[list(step).index(peak)]
    words = format_bytes(above_start(peak, "layer_peak_bytes"))
    return [
        Line(points, replace(look, line={"drawstyle": "steps-pre"})),
        Words(words, (x, y), (3, 3), colour=look.stroke.colour, is_small=True),
    ]


def _turn(at: float) -> list[Mark]:
    """Return the marks of where forward ends and backward begins."""
    side: dict[str, Any] = {
        "along": "bottom",
        "within": ("data", "axes fraction"),
        "is_small": True,
    }
    return [
        Level(at, axis="x", look=_TURN),
        Words("forward ", (at, 1), across="right", **side),
        Words(" backward", (at, 1), across="left", **side),
    ]


def _places(order: Mapping[str, int]) -> Axis:
    """Return an axis with the names of the ends of blocks, both ways."""
    ends = _block_ends(order)
    width = 2 * len(order)
    backward: dict[float, str] = {width - place: name for name, place in reversed(ends.items())}
    ticks: dict[float, str] = {place: name for name, place in ends.items()} | backward
    look = {"rotation": 60, "ha": "right", "fontsize": style.NOTE_SIZE}
    return Axis("", (0, width), ticks, look=look)


def _block_ends(order: Mapping[str, int]) -> dict[str, int]:
    """Return the last layer of parts of the network, by the part's name: few enough to be read.

    Parts are called by the first name in ``layer1.0.conv1``, or by the first two where there
    would be hardly any. Of parts whose ends lie close together the longest is named.
    """
    parts: dict[str, list[int]] = {}
    for depth in (1, 2):
        parts = {}
        for name, place in order.items():
            if name != "loss":
                parts.setdefault(".".join(name.split(".")[:depth]), []).append(place)
        if len(parts) >= _FEWEST_PARTS:
            break
    turn, gap = len(order), _GAP * 2 * len(order)
    kept: dict[str, int] = {}
    for name, places in sorted(parts.items(), key=lambda part: -len(part[1])):
        end = places[-1]
        is_free = all(abs(end - other) >= gap for other in kept.values())
        if is_free and turn - end >= gap / 2 and len(kept) < _MOST_LABELS:
            kept[name] = end
    return dict(sorted(kept.items(), key=lambda item: item[1]))
