"""Describe the pictures of ``layers.csv``: memory above the start along a training step.

They are figure 7 of the paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from xconv_bench.amounts import Scale, bytes_scale, format_bytes
from xconv_bench.report.canvas import axes, curves, style
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.rows import Beside, Comparable, Row, is_reference
from xconv_bench.report.tables.layers import above_start, peak_of, steps_of
from xconv_bench.report.words import status_words
from xconv_bench.results.schema.layers import LAYERS

_MOST_LABELS = 12
_FEWEST_PARTS = 4
_ROOM = 1.12
_GAP = 0.045
"""Share of the width between two labels."""
_NOTE = "the most since the moment before; the start holds weights, gradients and the batch"
_TURN = style.look(style.FAINT, linewidth=0.8)
_LABEL = {"rotation": 60, "ha": "right", "fontsize": style.NOTE_SIZE}


def memory_along(setting: Comparable, beside: Beside) -> curves.Curves | None:
    """Describe a line for each method, forward from left to right, then backward.

    A layer has the same place for all methods; what is computed again lies between. There is
    nothing to show where nothing was measured.
    """
    every = steps_of(setting)
    steps = {name: step for name, step in every.items() if peak_of(step) is not None}
    if not steps:
        return None
    order = _order(next(iter(steps.values())))
    most = max(above_start(row, "layer_peak_bytes") for step in steps.values() for row in step)
    unit = bytes_scale(most)
    looks = shown.looks_by_name(steps, has_markers=False)
    looks |= {n: replace(looks[n], stroke=style.EXACT) for n in steps if is_reference(steps[n][0])}
    marks = [mark for name in steps for mark in _marks(steps[name], order, unit, looks[name])]
    failed = {name: str(step[0]["status"]) for name, step in every.items() if name not in steps}
    return curves.Curves(
        f"Memory along a training step: {setting.title}",
        _places(order),
        axes.Axis(f"above the start ({unit.name})", (0, most / unit.size * _ROOM), has_grid=True),
        [curves.Panel([*marks, *_turn(len(order) - 0.5)])],
        list(looks.values()),
        [_NOTE, *(f"{name}: {status_words(status)}" for name, status in failed.items())],
        panel_inches=3.6,
    )


def _order(step: Sequence[Row]) -> dict[str, int]:
    """Return the place of each layer in the forward pass, by its first run."""
    names = dict.fromkeys(str(row["layer"]) for row in step if row["phase"] == "forward")
    return {name: place for place, name in enumerate(names)}


def _marks(
    step: Sequence[Row], order: Mapping[str, int], unit: Scale, own: style.Look
) -> list[curves.Overlay]:
    """Return the steps of a method's memory, and its peak in words."""
    points = []
    place, last = 0.0, 2 * len(order)
    for row in step:
        known = order.get(str(row["layer"]))
        if row["phase"] == "forward" and known is not None:
            place = max(place, float(known))
        elif row["phase"] == "backward":
            place = max(place, float(last - known if known is not None else last))
        points.append(curves.Point(place, above_start(row, "layer_peak_bytes") / unit.size))
    peak = peak_of(step)
    assert peak is not None
    x, y, *_ = points[list(step).index(peak)]
    words = format_bytes(above_start(peak, "layer_peak_bytes"))
    return [
        curves.Line(points, replace(own, line={**own.line, "drawstyle": "steps-pre"})),
        curves.PlacedWords(words, (x, y), (3, 3), colour=own.colour, is_small=True),
    ]


def _turn(at: float) -> list[curves.Overlay]:
    """Return the marks of where forward ends and backward begins."""
    sides = (("forward ", "right"), (" backward", "left"))
    return [
        curves.Level(at, axis="x", look=_TURN),
        *(curves.PlacedWords(text, (at, 1), (0, 0), side, "bottom", ("data", "axes fraction"),
                       is_small=True) for text, side in sides),
    ]  # fmt: skip


def _places(order: Mapping[str, int]) -> axes.Axis:
    """Return an axis with the names of the ends of blocks, both ways."""
    ends, width = _block_ends(order), 2 * len(order)
    ticks: dict[float, str] = {place: name for name, place in ends.items()}
    ticks |= {width - place: name for name, place in reversed(ends.items())}
    return axes.Axis("", (0, width), ticks, look=_LABEL)


def _block_ends(order: Mapping[str, int]) -> dict[str, int]:
    """Return the last layer of parts of the network, by the part's name: few enough to be read.

    Parts are called by the first name in ``layer1.0.conv1``, or by the first two where there
    would be hardly any. Where ends lie close together, only the longest part is named.
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


layers = shown.by_setting(LAYERS.setting_key, {"layers": memory_along})
