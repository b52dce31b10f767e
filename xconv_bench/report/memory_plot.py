"""Peak memory by method, as bars."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report import style
from xconv_bench.report.figures import FIGURES, PEAK_COLUMNS
from xconv_bench.report.summary import Row, Summary, summarize
from xconv_bench.report.units import Unit, bytes_unit, format_ratio
from xconv_bench.report.words import label, outcome, title, varying
from xconv_bench.results.files import explained

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_INCHES = 8.0
_BAR_INCHES = 0.42
_FRAME_INCHES = 1.65
_BAR_HEIGHT = 0.66
_LABEL_CHARACTERS = 34
_TITLE_CHARACTERS = 84


def plot_memory(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``memory.png`` and ``memory.svg`` in ``folder`` and return their paths.

    One bar for each configuration of ``rows``, as ``Table.rows`` returns them: its peak, and in
    it, darker, what autograd had saved. All bars show one meter, which the axis names. Where a
    configuration failed, words stand in the place of the bar. Without rows nothing is drawn.

    Raises BenchError where a file cannot be written.
    """
    summaries = summarize(rows)
    if not summaries:
        return []
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style.SETTINGS)
        return _save(_draw(summaries), folder)


def _save(figure: Figure, folder: Path) -> list[Path]:
    png, svg = folder / "memory.png", folder / "memory.svg"
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with explained(png):
        figure.savefig(png, dpi=style.DOTS_PER_INCH, metadata={"Software": None})
    with explained(svg):
        figure.savefig(svg, metadata={"Date": None})
    return [png, svg]


def _draw(summaries: Sequence[Summary]) -> Figure:
    from matplotlib.figure import Figure

    meter = _shown_meter(summaries)
    peaks = [summary.figures.get(meter, 0) for summary in summaries]
    unit = bytes_unit(max(peaks))
    setting = varying(summaries)
    labels = [textwrap.fill(label(summary, setting), _LABEL_CHARACTERS) for summary in summaries]
    lines = sum(max(1.0, 0.25 + 0.45 * (text.count("\n") + 1)) for text in labels)
    height = _FRAME_INCHES + _BAR_INCHES * lines
    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
    axes = figure.add_subplot()
    for place, summary in enumerate(summaries):
        _draw_bar(axes, place, summary, meter, unit)
    axes.set_yticks(range(len(summaries)), labels)
    _frame(axes, meter, unit, largest=max(peaks) / unit.size, count=len(summaries))
    figure.suptitle(
        textwrap.fill(f"Peak memory: {title(summaries)}", _TITLE_CHARACTERS), x=0.01, ha="left"
    )
    _add_legend(figure, summaries, meter)
    return figure
