"""The rows of ``memory.csv`` as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO

from xconv_bench.report.figures import FIGURES, RATIO_MEANING, Figure
from xconv_bench.report.summary import Row, Summary, summarize
from xconv_bench.report.text_table import (
    Column,
    open_console,
    print_columns,
    print_legend,
    print_notes,
)
from xconv_bench.report.units import format_ratio
from xconv_bench.report.words import HEADINGS, label, outcome, status_words, title, varying


def print_memory_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print one line for each configuration of ``rows``, as ``Table.rows`` returns them.

    Figures are medians over repeats and seeds, with their ratio to ``exact``. Below stand the
    messages of the rows and what each figure means. ``file`` is standard output where None is
    given. In a terminal, columns that do not fit beside each other come below each other.
    """
    from rich.text import Text

    console = open_console(file)
    summaries = summarize(rows)
    if not summaries:
        console.print("Nothing was measured.")
        return
    figures = [f for f in FIGURES if f.is_told(s.figures.get(f.column) for s in summaries)]
    console.print(Text(title(summaries), style="bold"))
    identity = [*_identity(summaries), *_state(summaries)]
    print_columns(console, identity, [_figure_column(figure, summaries) for figure in figures])
    print_notes(console, _notes(summaries))
    print_legend(console, _legend(figures, summaries))


def _identity(summaries: Sequence[Summary]) -> Iterator[Column]:
    """What tells one line from another."""
    for name in varying(summaries):
        values = [summary.settings[name] for summary in summaries]
        cells = ["" if value is None else str(value) for value in values]
        are_numbers = any(isinstance(value, int) for value in values)
        yield Column(HEADINGS[name], cells, "right" if are_numbers else "left")
    yield Column("method", [label(summary) for summary in summaries], "left")


def _state(summaries: Sequence[Summary]) -> Iterator[Column]:
    """How many rows each line stands for, and how they ended, where it is not one that is ok."""
    counts = [summary.statuses.total() for summary in summaries]
    if max(counts) > 1:
        yield Column("n", [str(count) for count in counts])
    outcomes = [outcome(summary) for summary in summaries]
    if set(outcomes) != {"ok"}:
        yield Column("status", outcomes, "left")


def _figure_column(figure: Figure, summaries: Sequence[Summary]) -> Column:
    values = [summary.figures.get(figure.column) for summary in summaries]
    write = figure.formatter(max(value for value in values if value is not None))
    ratios = [summary.ratios.get(figure.column) for summary in summaries]
    texts = ["" if ratio is None else f" ({format_ratio(ratio)})" for ratio in ratios]
    room = max(len(text) for text in texts)
    # Every ratio takes the room of the widest, so that the figures stand below each other.
    return Column(
        figure.heading,
        [
            "" if value is None else write(value) + text.rjust(room)
            for value, text in zip(values, texts, strict=True)
        ],
    )


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


def _legend(figures: Sequence[Figure], summaries: Sequence[Summary]) -> Iterator[tuple[str, str]]:
    for figure in figures:
        yield figure.heading, figure.meaning
    if any(summary.ratios for summary in summaries):
        yield "(×)", RATIO_MEANING
