"""The rows of ``memory.csv`` as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal

from xconv_bench.report.figures import FIGURES, RATIO_MEANING, Figure
from xconv_bench.report.summary import Row, Summary, summarize
from xconv_bench.report.units import format_ratio
from xconv_bench.report.words import HEADINGS, label, outcome, status_words, title, varying

if TYPE_CHECKING:
    from rich.table import Table

_GAP = 2
_UNLIMITED = 100_000
"""Characters of a line where no terminal limits it: nothing is wrapped or cut in a pipe."""


@dataclass(frozen=True)
class _Column:
    """A heading, and a cell for each summary."""

    heading: str
    cells: list[str]
    justify: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        return max(len(text) for text in (self.heading, *self.cells))


def print_memory_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print one line for each configuration of ``rows``, as ``Table.rows`` returns them.

    Figures are medians over repeats and seeds, with their ratio to ``exact``. Below stand the
    messages of the rows and what each figure means. ``file`` is standard output where None is
    given. In a terminal, columns that do not fit beside each other come below each other.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    summaries = summarize(rows)
    if not summaries:
        console.print("Nothing was measured.")
        return
    figures = [figure for figure in FIGURES if any(figure.column in s.figures for s in summaries)]
    console.print(Text(title(summaries), style="bold"))
    identity = [*_identity(summaries), *_state(summaries)]
    columns = [_figure_column(figure, summaries) for figure in figures]
    for part in _fitting(identity, columns, console.width):
        console.print()
        console.print(_table(part))
    notes = _notes(summaries)
    if notes:
        console.print()
    for note in notes:
        console.print(Text(note))
    if figures:
        console.print()
        console.print(_legend(figures, summaries))


def _identity(summaries: Sequence[Summary]) -> Iterator[_Column]:
    """What tells one line from another."""
    for name in varying(summaries):
        values = [summary.settings[name] for summary in summaries]
        cells = ["" if value is None else str(value) for value in values]
        are_numbers = any(isinstance(value, int) for value in values)
        yield _Column(HEADINGS[name], cells, "right" if are_numbers else "left")
    yield _Column("method", [label(summary) for summary in summaries], "left")


def _state(summaries: Sequence[Summary]) -> Iterator[_Column]:
    """How many rows each line stands for, and how they ended, where it is not one that is ok."""
    counts = [summary.statuses.total() for summary in summaries]
    if max(counts) > 1:
        yield _Column("n", [str(count) for count in counts])
    outcomes = [outcome(summary) for summary in summaries]
    if set(outcomes) != {"ok"}:
        yield _Column("status", outcomes, "left")


def _figure_column(figure: Figure, summaries: Sequence[Summary]) -> _Column:
    values = [summary.figures.get(figure.column) for summary in summaries]
    write = figure.formatter(max(value for value in values if value is not None))
    ratios = [summary.ratios.get(figure.column) for summary in summaries]
    texts = ["" if ratio is None else f" ({format_ratio(ratio)})" for ratio in ratios]
    room = max(len(text) for text in texts)
    # Every ratio takes the room of the widest, so that the figures stand below each other.
    return _Column(
        figure.heading,
        [
            "" if value is None else write(value) + text.rjust(room)
            for value, text in zip(values, texts, strict=True)
        ],
    )


def _fitting(
    identity: list[_Column], figures: list[_Column], width: int
) -> Iterator[list[_Column]]:
    """The columns in tables no wider than ``width`` characters, each with the identity."""
    part = list(identity)
    for column in figures:
        needed = sum(known.width + _GAP for known in part) + column.width
        if needed > width and len(part) > len(identity):
            yield part
            part = list(identity)
        part.append(column)
    yield part


def _table(columns: Sequence[_Column]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column.heading, justify=column.justify, overflow="fold")
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _notes(summaries: Sequence[Summary]) -> list[str]:
    """What the rows say in words, each message once, with the configurations that it is about."""
    concerned: dict[tuple[str, str], list[Summary]] = {}
    for summary in summaries:
        for message in summary.messages:
            concerned.setdefault(message, []).append(summary)
    notes = []
    for (status, text), some in concerned.items():
        who = label(some[0], varying(summaries))
        if len(some) > 1:
            who = f"{len(some)} of {len(summaries)} lines"
        notes.append(": ".join([who, *([] if status == "ok" else [status_words(status)]), text]))
    return notes


def _legend(figures: Sequence[Figure], summaries: Sequence[Summary]) -> Table:
    from rich.table import Table

    legend = Table.grid(padding=(0, _GAP))
    for figure in figures:
        legend.add_row(figure.heading, figure.meaning)
    if any(summary.ratios for summary in summaries):
        legend.add_row("(×)", RATIO_MEANING)
    return legend
