"""The report as compact Markdown, for a comment on a pull request."""

import re
from collections.abc import Iterator, Sequence

from xconv_bench.plain_text import visible
from xconv_bench.report.page.comparison import Comparison, compare
from xconv_bench.report.page.environment import properties_of
from xconv_bench.report.page.figures import (
    column_of,
    condensed,
    figure_words,
    name_of,
    outcomes_of,
    shown_figures,
)
from xconv_bench.report.page.verdict import verdict_of
from xconv_bench.report.rows import Comparable, Row, reference_in
from xconv_bench.report.words import ended
from xconv_bench.results.recorded import RecordedRun
from xconv_bench.results.schema import TABLES, Column, Schema
from xconv_bench.results.statuses import DOUBTFUL

MOST_ROWS = 20
"""Rows of a table and run."""
_MOST_FINDINGS = 2
_LONGEST_CELL = 160


def markdown_of(runs: Sequence[RecordedRun], skipped: Sequence[str]) -> str:
    """Return a summary, a table of the main figures of each table measured, and what changed."""
    measured = [s for s in TABLES.values() if any(s.name in run.tables for run in runs)]
    blocks = [
        f"## xconv-bench: {', '.join(_safe(run.name) for run in runs)}",
        *_verdicts(runs),
        "\n".join(line for schema in measured for line in _summary(schema, runs)),
        *(["\n".join(f"- {_safe(line)}" for line in skipped)] if skipped else []),
    ]
    if len(runs) > 1:
        blocks += _comparison(compare(runs))
        differing = [each.name for each in properties_of(runs) if each.differs]
        blocks.append(f"The environments differ in {_safe(', '.join(differing) or 'nothing')}.")
    for schema in measured:
        blocks += _chapter(schema, runs)
    return "\n\n".join(blocks) + "\n"


def _verdicts(runs: Sequence[RecordedRun]) -> Iterator[str]:
    for run in runs:
        for each in verdict_of(run).verdicts[:_MOST_FINDINGS]:
            whose = f"{_safe(run.name)}: " if len(runs) > 1 else ""
            method = f"**{_safe(each.answer.method)}**: " if each.answer.method else ""
            said = f"{_safe(each.answer.words)}. {_safe(' '.join(each.answer.remarks))}"
            yield f"{whose}{_safe(each.title)}: {method}{said.strip()}"


def _summary(schema: Schema, runs: Sequence[RecordedRun]) -> Iterator[str]:
    for outcome in outcomes_of(schema, runs):
        whose = f" of {_safe(outcome.run)}" if len(runs) > 1 else ""
        ended = f"{outcome.rows:,} rows, {outcome.statuses}"
        yield f"- **{schema.title}**{whose}: {ended}"
        for finding in outcome.findings[:_MOST_FINDINGS]:
            yield f"  - {_safe(finding.title)}: {_safe(finding.text)}"
        more = outcome.more + len(outcome.findings[_MOST_FINDINGS:])
        if more:
            yield f"  - {more:,} further settings"


def _chapter(schema: Schema, runs: Sequence[RecordedRun]) -> list[str]:
    if not schema.main:
        return []
    found = [
        (run.name, setting, row)
        for run in runs
        if schema.name in run.tables
        for setting in condensed(schema, run.tables[schema.name].rows)
        for row in setting.rows
    ]
    # The runs of one configuration stand together.
    places = {place: n for n, place in enumerate(dict.fromkeys(map(_place, found)))}
    found.sort(key=lambda each: places[_place(each)])
    most = MOST_ROWS * len(runs)
    shown = shown_figures(schema, [row for _, _, row in found])
    figures = [column_of(schema, name) for name in shown]
    titles = {setting.title for _, setting, _ in found}
    names = {"run": len(runs) > 1, "setting": len(titles) > 1, "method": True}
    headings = [name for name, is_shown in names.items() if is_shown]
    lines = []
    for run, setting, row in found[:most]:
        identity = {"run": run, "setting": setting.title, "method": name_of(row)}
        lines.append([*(identity[name] for name in headings), *_figures(figures, setting, row)])
    blocks = [f"### {schema.title}"]
    if len(titles) == 1:
        blocks.append(_safe(titles.pop()))
    blocks.append(_table([*headings, *(each.heading for each in figures)], lines, len(headings)))
    if len(found) > most:
        blocks.append(f"The first {most} of {len(found):,} rows.")
    return [block for block in blocks if block]


def _place(found: tuple[str, Comparable, Row]) -> tuple[str, str]:
    _, setting, row = found
    return setting.title, name_of(row)


def _figures(figures: Sequence[Column], setting: Comparable, row: Row) -> list[str]:
    exact = reference_in(setting.rows)
    cells = [figure_words(column, row, exact, setting.rows) for column in figures]
    if row["status"] != "ok" and cells:
        words = ended(row)
        cells[0] = f"{cells[0]}, {words}" if row["status"] == DOUBTFUL else words
    return cells


def _comparison(comparison: Comparison) -> list[str]:
    first, *others = comparison.runs
    lines = []
    for change in comparison.changes[:MOST_ROWS]:
        cells = [change.table, change.where, change.method, change.figure, change.texts[0]]
        for text, ratio in zip(change.texts[1:], change.ratio_words[1:], strict=True):
            cells.append(f"{text} ({ratio})" if ratio else text)
        lines.append(cells)
    blocks = [
        f"### Compared with {_safe(first)}",
        f"{comparison.count:,} of {len(comparison.changes):,} figures differ by more than half a "
        f"percent; the largest changes come first. {comparison.unmatched:,} rows have no "
        "counterpart.",
    ]
    if lines:
        blocks.append(_table(["table", "setting", "method", "figure", first, *others], lines, 4))
    return blocks


def _table(headings: Sequence[str], lines: Sequence[Sequence[str]], words: int) -> str:
    """Align the first ``words`` columns at the left, and the others, figures, at the right."""
    rule = ["---"] * words + ["---:"] * (len(headings) - words)
    rows = [[_safe(cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in ([*map(_safe, headings)], rule, *rows))


def _safe(text: str) -> str:
    """Keep what a user named text: it makes no table, no tag, no link and calls nobody."""
    text = visible(" ".join(text.split()))
    if len(text) > _LONGEST_CELL * 2:
        text = f"{text[: _LONGEST_CELL * 2]}…"
    text = re.sub(r"([\\`*|\[\]~#])", r"\\\1", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("@", "&#64;")
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
