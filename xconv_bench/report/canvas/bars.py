"""Draw bars below each other, with a label on their left and words at their end."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from xconv_bench.report.canvas import style
from xconv_bench.report.canvas.frame import headed, joined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xconv_bench.report.canvas.picture import Picture

# The vertical axis counts lines of text, downwards.
_LINE_INCHES = 0.165
_BAR_LINES = 1.35
_BAR_GAP_LINES = 0.8
_GROUP_GAP_LINES = 0.9
_FRAME_INCHES = 1.25
_LEGEND_INCHES = 0.35
_LABEL_CHARACTERS = 38
_ROOM_FOR_WORDS = 1.28


@dataclass(frozen=True)
class Bar:
    """Describe a bar by the ``parts`` in it, each a length with its colour, the longest first.

    ``words`` stand at its end, or in its place where it has no parts, or none that is finite. Bars
    of one ``group`` stand together.
    """

    label: str
    words: str
    parts: Sequence[tuple[float, str]] = ()
    group: object = None

    @property
    def length(self) -> float:
        """Return how far the bar reaches."""
        return max((length for length, _ in self.parts if isfinite(length)), default=0.0)


@dataclass(frozen=True)
class Bars:
    """Describe a picture of bars; ``legend`` names colours.

    Axis, legend and notes are left out where no bar is longer than 0.
    """

    title: str
    axis: str
    bars: Sequence[Bar]
    notes: Sequence[str]
    legend: Mapping[str, str] = field(default_factory=dict)

    def draw(self) -> Picture:
        labels = [textwrap.fill(bar.label, _LABEL_CHARACTERS) for bar in self.bars]
        *places, end = self._places(labels)
        longest = max(bar.length for bar in self.bars)
        inches = _FRAME_INCHES + _LINE_INCHES * end + (_LEGEND_INCHES if self.legend else 0)
        picture = headed(self.title, joined(self.notes) if longest else "", inches)
        axes = picture.add_subplot()
        axes.set_yticks(places, labels)
        axes.set_ylim(end, 0)
        for place, bar in zip(places, self.bars, strict=True):
            _draw_bar(axes, place, bar)
        if longest:
            axes.set_xlim(0, longest * _ROOM_FOR_WORDS)
            axes.set_xlabel(self.axis)
            axes.grid(axis="x")
            self._explain(axes)
        else:
            axes.xaxis.set_visible(False)
            axes.spines.bottom.set_visible(False)
        return picture

    def _places(self, labels: Sequence[str]) -> Iterator[float]:
        """Yield where the bars stand, and at last where they end."""
        end = 0.0
        before = self.bars[0].group
        for bar, label in zip(self.bars, labels, strict=True):
            end += _GROUP_GAP_LINES if bar.group != before else 0
            before = bar.group
            lines = max(_BAR_LINES, 1 + label.count("\n")) + _BAR_GAP_LINES
            yield end + lines / 2
            end += lines
        yield end

    def _explain(self, axes: Axes) -> None:
        from matplotlib.patches import Patch

        if self.legend:
            axes.legend(
                handles=[Patch(color=colour, label=name) for name, colour in self.legend.items()],
                loc="lower left",
                bbox_to_anchor=(0, 1),
                ncols=len(self.legend),
            )


def _draw_bar(axes: Axes, place: float, bar: Bar) -> None:
    for length, colour in bar.parts:
        if isfinite(length):
            axes.barh(place, length, _BAR_LINES, color=colour)
    axes.annotate(
        bar.words, (bar.length, place), (5, 0), textcoords="offset points", va="center_baseline",
        color=style.INK if bar.parts else style.FAILURE,
    )  # fmt: skip
