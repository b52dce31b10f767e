"""The rows of ``memory.csv`` as a table for people: one line for each configuration."""

from collections.abc import Iterator, Sequence
from typing import IO

from xconv_bench.report.summary import Row, Summary, compared_columns, summarize
from xconv_bench.report.tables.engine import Figure, columns_of, in_brackets, no_exact
from xconv_bench.report.tables.runtime import identity_of
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn, print_tables
from xconv_bench.report.units import format_error, formatter
from xconv_bench.report.words import label, outcome, status_words, title, varying
from xconv_bench.results import schema
from xconv_bench.results.schema.column import Unit


def print_memory_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print one line for each configuration of ``rows``.

    Figures are medians over repeats and seeds, with their ratio to ``exact``. Below stand the
    messages of the rows and what each figure means.
    """
    print_tables(_described(summarize(rows)), file)


def _described(summaries: Sequence[Summary]) -> Printed:
    if not summaries:
        return Printed([])
    figures = [
        _figure(column, summaries) for column in compared_columns() if _is_told(column, summaries)
    ]
    methods = [label(summary) for summary in summaries]
    identity = [*identity_of([s.settings for s in summaries], methods), *_state(summaries)]
    part = Block(title(summaries), identity, columns_of(figures, summaries, no_exact))
    return Printed([part], _notes(summaries))


def _state(summaries: Sequence[Summary]) -> Iterator[TextColumn]:
    """Yield how many rows each line stands for, and how they ended, where not all are ok."""
    counts = [summary.statuses.total() for summary in summaries]
    if max(counts) > 1:
        yield TextColumn("n", [str(count) for count in counts])
    outcomes = [outcome(summary) for summary in summaries]
    if set(outcomes) != {"ok"}:
        yield TextColumn("status", outcomes, "left")


def _is_told(column: schema.Column, summaries: Sequence[Summary]) -> bool:
    """Return whether a table has this column: a floor of zero says nothing."""
    found = [s.figures[column.name] for s in summaries if column.name in s.figures]
    return any(found) or bool(found and column.better)


def _figure(column: schema.Column, summaries: Sequence[Summary]) -> Figure[Summary]:
    """Return the figure of a column, all lines in the unit of the largest."""
    found = [s.figures[column.name] for s in summaries if column.name in s.figures]
    write = format_error if column.unit is Unit.RELATIVE else formatter(column, max(found))

    def words(summary: Summary, _: Summary | None) -> str:
        value = summary.figures.get(column.name)
        return "" if value is None else write(value) + in_brackets(summary.ratios.get(column.name))

    return Figure(column.heading, words, column.meaning)


def _notes(summaries: Sequence[Summary]) -> list[str]:
    """Return each message once, with the configurations that it is about."""
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
