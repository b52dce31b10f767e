"""How figures changed from the first run to the others, as points on a logarithmic axis."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xconv_bench.report import style
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.units import format_ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

_WIDTH_INCHES = 8.0
_FRAME_INCHES = 1.5
_LINE_INCHES = 0.4
_LABEL_CHARACTERS = 58
_MARKERS = "osD^vP*X"
_LEAST_REACH = 1.25
"""The axis runs at least to this factor, in both directions."""


@dataclass(frozen=True)
class Changed:
    """``ratios`` to the first run, one for each of the others; ``colour`` is the method's."""

    label: str
    colour: str
    ratios: Sequence[float | None]


def plot_comparison(changes: Sequence[Changed], runs: Sequence[str], folder: Path) -> list[Path]:
    """Draw ``comparison.png`` and ``comparison.svg`` in ``folder`` and return their paths.

    A line for each of ``changes``, a point for each of ``runs`` but the first. Nothing is drawn
    where none has a ratio. Raises BenchError where a file cannot be written.
    """
    drawn = [change for change in changes if any(ratio is not None for ratio in change.ratios)]
    if not drawn:
        return []
    with fixed_settings():
        return save(_draw(drawn, runs), folder, "comparison")


def _draw(changes: Sequence[Changed], runs: Sequence[str]) -> Picture:
    from matplotlib.figure import Figure as Picture
    from matplotlib.lines import Line2D

    height = _FRAME_INCHES + _LINE_INCHES * len(changes)
    picture = Picture(figsize=(_WIDTH_INCHES, height), layout="constrained")
    axes: Any = picture.add_subplot()
    axes.set_xscale("log")
    labels = ["\n".join(textwrap.wrap(each.label, _LABEL_CHARACTERS)[:2]) for each in changes]
    axes.set_yticks(range(len(changes)), labels, fontsize=style.NOTE_SIZE)
    axes.set_ylim(len(changes) - 0.5, -0.5)
    axes.axvline(1, color=style.EXACT.colour, linestyle=style.EXACT.dashes, linewidth=1)
    for place, change in enumerate(changes):
        for ratio, marker in zip(change.ratios, _MARKERS, strict=False):
            if ratio is not None:
                axes.plot([1, ratio], [place, place], color=change.colour, linewidth=1)
                axes.plot([ratio], [place], marker, color=change.colour)
    _set_reach(axes, [ratio for each in changes for ratio in each.ratios if ratio is not None])
    axes.grid(axis="x")
    axes.set_xlabel(f"ratio to {runs[0]}")
    picture.suptitle(f"What changed most since {runs[0]}", x=0.012, ha="left")
    axes.legend(
        handles=[
            Line2D([], [], color=style.INK, marker=marker, linestyle="", label=name)
            for name, marker in zip(runs[1:], _MARKERS, strict=False)
        ],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
    )
    return picture


def _set_reach(axes: Any, ratios: Sequence[float]) -> None:
    reach = max([_LEAST_REACH, *(max(ratio, 1 / ratio) for ratio in ratios)]) ** 1.1
    steps = (1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 100, 1000, 10_000, 100_000, 1_000_000)
    inside = [step for step in steps if step <= reach]
    kept = [1, *inside[-3:]] if len(inside) > 4 else inside
    ticks = sorted({*(1 / step for step in kept), *kept})
    axes.set_xlim(1 / reach, reach)
    axes.set_xticks(ticks, [format_ratio(tick) for tick in ticks])
    axes.minorticks_off()
