"""Memory above the start along a training step, layer by layer: figure 7 of the XConv paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.frame import Entry, framed
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.settings import Setting, settings_of
from xconv_bench.report.style import Stroke
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.layers import above_start, peak_of, steps_of
from xconv_bench.report.units import Unit, bytes_unit, format_bytes
from xconv_bench.report.words import status_words
from xconv_bench.results.schema import TABLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_PANEL_INCHES = 3.6
_MOST_LABELS = 12
_FEWEST_PARTS = 4
_ROOM = 1.12
_GAP = 0.045
"""Of the width, between two labels."""
_KEY = tuple(column for column in TABLES["layers"].key if column != "position")


def plot_layers(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``layers.png`` and ``layers.svg`` for each setting, and return the paths.

    ``rows`` are as ``Table.rows`` returns them. A line for each method: forward from left to
    right, then backward. A layer has the same place for all methods; what is computed again lies
    between. Nothing is drawn of what was not measured. Raises BenchError where a file cannot be
    written.
    """
    paths = []
    with fixed_settings():
        for setting in settings_of(rows, _KEY):
            picture = _draw(setting)
            if picture is not None:
                paths += save(picture, folder, f"layers{setting.suffix}")
    return paths


def _draw(setting: Setting) -> Picture | None:
    steps = {name: step for name, step in steps_of(setting).items() if peak_of(step) is not None}
    if not steps:
        return None
    order = _order(next(iter(steps.values())))
    strokes = _strokes(steps)
    most = max(above_start(row, "layer_peak_bytes") for step in steps.values() for row in step)
    unit = bytes_unit(most)
    failed = [f"{n}: {status_words(str(s[0]['status']))}" for n, s in steps_of(setting).items()
              if n not in steps]  # fmt: skip
    picture, (axes,) = framed(
        f"Memory along a training step: {setting.title}",
        f"above the start ({unit.name})",
        [Entry(name, strokes[name], {}) for name in steps],
        ["the most since the moment before; the start holds weights, gradients and the batch",
         *failed],
        panels=1,
        panel_inches=_PANEL_INCHES,
    )  # fmt: skip
    for name, step in steps.items():
        _draw_step(axes, step, order, unit, strokes[name])
    _draw_axes(axes, order, most / unit.size)
    return picture


def _strokes(steps: dict[str, list[Row]]) -> dict[str, Stroke]:
    """Without points: there are too many. A second line of one look has other dashes."""
    variants: Counter[str] = Counter()
    strokes = {}
    for name, step in steps.items():
        look = str(step[0]["scheme"] or step[0]["method"])
        stroke = style.stroke(look, variants[look])
        variants[look] += 1
        is_exact = step[0]["method"] == "exact"
        strokes[name] = style.EXACT if is_exact else Stroke(stroke.colour, "", stroke.dashes)
    return strokes


def _order(step: Sequence[Row]) -> dict[str, int]:
    """The place of each layer in the forward pass, by its first run."""
    names = dict.fromkeys(str(row["layer"]) for row in step if row["phase"] == "forward")
    return {name: place for place, name in enumerate(names)}


def _draw_step(
    axes: Axes, step: Sequence[Row], order: dict[str, int], unit: Unit, stroke: Stroke
) -> None:
    x, y = [], []
    last = 2 * len(order)
    place = 0.0
    for row in step:
        known = order.get(str(row["layer"]))
        if row["phase"] == "forward" and known is not None:
            place = max(place, float(known))
        elif row["phase"] == "backward":
            place = max(place, float(last - known if known is not None else last))
        x.append(place)
        y.append(above_start(row, "layer_peak_bytes") / unit.size)
    axes.plot(x, y, color=stroke.colour, linestyle=stroke.dashes, drawstyle="steps-pre")
    peak = peak_of(step)
    assert peak is not None
    at = list(step).index(peak)
    axes.annotate(
        format_bytes(above_start(peak, "layer_peak_bytes")), (x[at], y[at]), (3, 3),
        textcoords="offset points", color=stroke.colour, fontsize=style.NOTE_SIZE,
    )  # fmt: skip


def _draw_axes(axes: Axes, order: dict[str, int], most: float) -> None:
    """Names of the ends of blocks along x, both ways, and the turn between them."""
    turn = len(order) - 0.5
    axes.axvline(turn, color=style.FAINT, linewidth=0.8)
    for text, at, side in (("forward ", turn, "right"), (" backward", turn, "left")):
        axes.annotate(text, (at, 1), xycoords=axes.get_xaxis_transform(), ha=side, va="bottom",
                      color=style.FAINT, fontsize=style.NOTE_SIZE)  # fmt: skip
    ends = _block_ends(order)
    places = [*ends.values(), *(2 * len(order) - place for place in reversed(ends.values()))]
    axes.set_xticks(places, [*ends, *reversed(ends)], rotation=60, ha="right",
                    fontsize=style.NOTE_SIZE)  # fmt: skip
    axes.set(xlim=(0, 2 * len(order)), ylim=(0, most * _ROOM))
    axes.grid(axis="y")


def _block_ends(order: dict[str, int]) -> dict[str, int]:
    """The last layer of parts of the network, by the part's name: few enough to be read.

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
