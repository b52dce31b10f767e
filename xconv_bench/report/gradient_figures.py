"""Figures of gradients as columns: of the whole network, and layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xconv_bench.report.figures import RATIO_MEANING
from xconv_bench.report.settings import Setting, is_reference, number, of_network
from xconv_bench.report.summary import Row
from xconv_bench.report.text_table import Column, aligned, print_columns
from xconv_bench.report.units import format_bytes, format_ratio
from xconv_bench.report.words import dial_words, method_words

if TYPE_CHECKING:
    from rich.console import Console

ExactRows = Mapping[str, Row]
"""The rows of the exact method in the same setting, by layer; empty where there are none."""

SAVED_MEANING = (
    "what autograd keeps for the layer between the forward and the backward pass, for all layers "
    "what it keeps for the whole network, parameters excluded"
)


@dataclass(frozen=True)
class GradientFigure:
    """A figure that people compare.

    ``write`` makes the text of its cell; ``mark`` is what stands below each other in a column.
    Of several numbers of probes side by side only what ``is_essential`` is shown.
    """

    heading: str
    meaning: str
    write: Callable[[Row, ExactRows], str]
    mark: str = " ±"
    is_essential: bool = False


def exact_rows(setting: Setting) -> ExactRows:
    """Those that the others of the setting are compared with."""
    return {str(row["layer"]): row for row in setting.rows if is_reference(row)}


def saved_words(row: Row, exact: ExactRows) -> str:
    """Saved bytes, and the ratio to those of the exact method."""
    saved, reference = number(row, "saved_bytes"), exact.get(str(row["layer"]))
    if saved is None:
        return ""
    whole = None if reference is None or reference is row else number(reference, "saved_bytes")
    return format_bytes(saved) + (f" ({format_ratio(saved / whole)})" if whole else "")


def print_network(console: Console, setting: Setting, figures: Sequence[GradientFigure]) -> None:
    """The whole network, one line a configuration."""
    rows, exact = of_network(setting.rows), exact_rows(setting)
    methods = Column("method", [method_words(row) for row in rows], "left")
    columns = [_column(figure, figure.heading, rows, exact) for figure in figures]
    print_columns(console, [methods], [column for column in columns if any(column.cells)])


def layer_columns(
    figures: Sequence[GradientFigure], lines: Collection[Sequence[Row]], exact: ExactRows
) -> Iterator[Column]:
    """For a single number of probes all figures, for several the essential ones of each.

    ``lines`` are the rows of one layer each. What goes for probes goes for every dial.
    """
    dials = dict.fromkeys(dial_words(row) for rows in lines for row in rows)
    for figure in figures:
        if len(dials) > 1 and not figure.is_essential:
            continue
        for dial in dials:
            rows = [next((r for r in line if dial_words(r) == dial), None) for line in lines]
            heading = f"{figure.heading} {dial}" if len(dials) > 1 else figure.heading
            column = _column(figure, heading, rows, exact)
            if any(column.cells):
                yield column


def meanings(figures: Sequence[GradientFigure], rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """What the figures that are shown mean."""
    for figure in figures:
        if any(figure.write(row, {}) for row in rows):
            yield figure.heading, figure.meaning
    if any(map(is_reference, rows)) and not all(map(is_reference, rows)):
        yield "(×)", RATIO_MEANING


def _column(
    figure: GradientFigure, heading: str, rows: Sequence[Row | None], exact: ExactRows
) -> Column:
    cells = ["" if row is None else figure.write(row, exact) for row in rows]
    return Column(heading, aligned(cells, figure.mark) if any(cells) else cells)
