"""Verdicts on thresholds, for people, JUnit and GitHub; and the changes of a baseline."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from math import inf
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from xconv_bench.amounts import format_bytes, format_seconds
from xconv_bench.configuration import (
    GradientConfiguration,
    MaxBatchConfiguration,
    MemoryConfiguration,
)
from xconv_bench.knobs import KNOBS
from xconv_bench.naming import method_words
from xconv_bench.plain_text import visible
from xconv_bench.report.rows import grouped
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn, print_tables
from xconv_bench.report.words import format_measured, phrases
from xconv_bench.results import schema
from xconv_bench.results.schema import ALL_LAYERS, TABLES, Cell
from xconv_bench.results.schema.column import Unit
from xconv_bench.thresholds.update import Change
from xconv_bench.thresholds.verdict import Verdict

_MARKS = {"pass": "ok", "fail": "FAILED", "skip": "not compared"}
_WITHIN = frozenset({"method", *KNOBS})
_OFTEN_USUAL = frozenset({"dtype", "seed", "repeat", "weights", "warmup_steps", "headroom", "most"})
_USUAL: Mapping[str, object] = {"layer": ALL_LAYERS} | {
    field.name: field.default
    for kind in (MemoryConfiguration, GradientConfiguration, MaxBatchConfiguration)
    for field in fields(kind)
    if field.name in _OFTEN_USUAL
}
"""Settings that are not worth a word."""
_FAR_PERCENT = 1000


def print_verdicts(
    verdicts: Sequence[Verdict], run: Path, baseline: Path | None, file: IO[str] | None = None
) -> None:
    """Print a line for each verdict that is not a pass, and one for all passes of a limit.

    The line of passes shows the row that is nearest to the bound.
    """
    against = f", baseline {baseline}" if baseline else ""
    lines = [[verdict] for verdict in verdicts if verdict.outcome != "pass"]
    lines += _passes(verdicts)
    shown = [line[0] for line in lines]
    part = Block(
        f"thresholds of {run}{against}",
        [
            TextColumn("verdict", [_MARKS[each.outcome] for each in shown], "left"),
            TextColumn("limit", [f"{v.limit.table}: {v.limit.demand}" for v in shown], "left"),
            TextColumn("row", [_rows_words(line) for line in lines], "left"),
        ],
        _filled(
            TextColumn("value", [_figure(each, each.value) for each in shown]),
            TextColumn("bound", [_figure(each, each.bound) for each in shown]),
            TextColumn("reference", [_figure(each, each.reference) for each in shown]),
            TextColumn("beyond", [_excess_words(each) for each in shown]),
            TextColumn("remark", [each.message for each in shown], "left"),
        ),
    )
    print_tables(Printed([part], [_count(verdicts)]), file)


def print_changes(changes: Sequence[Change], baseline: Path, file: IO[str] | None = None) -> None:
    """Print what a new baseline changes."""
    changed = [change for change in changes if change.before != change.after]
    words = [_figures(change) for change in changed]
    part = Block(
        f"baseline {baseline}",
        _filled(
            TextColumn("metric", [f"{c.limit.table}: {c.limit.metric}" for c in changed], "left"),
            TextColumn("row", [_row_words(c.limit.table, c.row) for c in changed], "left"),
        ),
        _filled(
            TextColumn("before", [before for before, _ in words]),
            TextColumn("after", [after for _, after in words]),
            TextColumn("change", [_change(c) for c in changed]),
        ),
    )
    notes = [f"{len(changed)} of {len(changes)} figures changed"]
    print_tables(Printed([part], notes), file)


def junit_xml(verdicts: Sequence[Verdict]) -> bytes:
    """Return a test suite with a case for each verdict; what was not compared is skipped."""
    outcomes = [verdict.outcome for verdict in verdicts]
    suite = ElementTree.Element(
        "testsuite",
        name="xconv-bench check",
        tests=str(len(verdicts)),
        failures=str(outcomes.count("fail")),
        skipped=str(outcomes.count("skip")),
    )
    for verdict in verdicts:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"xconv-bench.{verdict.limit.table}",
            name=f"{verdict.limit.demand}: {_verdict_words(verdict)}",
        )
        if verdict.outcome == "fail":
            ElementTree.SubElement(case, "failure", message=_complaint(verdict)).text = str(
                verdict.limit
            )
        if verdict.outcome == "skip":
            ElementTree.SubElement(case, "skipped", message=verdict.message)
    for element in suite.iter():  # no XML may hold a control character, not even escaped
        element.attrib |= {name: visible(text) for name, text in element.attrib.items()}
        element.text = element.text and visible(element.text)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"


def github_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield a line for each verdict that is not a pass: GitHub shows it beside the change."""
    for verdict in verdicts:
        if verdict.outcome == "pass":
            continue
        level = "error" if verdict.outcome == "fail" else "notice"
        title = _property(f"{verdict.limit.table}: {verdict.limit.demand}")
        complaint = _data(f"{_verdict_words(verdict)}: {_complaint(verdict)}")
        yield f"::{level} title={title}::{complaint}"


def _verdict_words(verdict: Verdict) -> str:
    """Return the row that a verdict is on; where there is none, what was to be selected."""
    if verdict.row is None:
        return verdict.limit.rows
    return _row_words(verdict.limit.table, verdict.row)


def _excess_words(verdict: Verdict) -> str:
    """Return ``+3.2 %`` beyond the bound, ``-12 %`` within."""
    excess = verdict.excess
    if excess is None:
        return ""
    percent = 100 * excess
    if abs(percent) >= _FAR_PERCENT:
        return f"{'beyond +' if percent > 0 else 'below -'}{_FAR_PERCENT} %"
    return f"{percent:+.2g} %" if abs(percent) < 100 else f"{percent:+.0f} %"


def _figure_words(column: schema.Column, value: float | None) -> str:
    """Return a figure with its unit; numbers without one as limits are written."""
    if value is None:
        return ""
    if column.unit is Unit.BYTES:
        return format_bytes(value)
    if column.unit is Unit.SECONDS:
        return format_seconds(value)
    return str(int(value)) if float(value).is_integer() else format_measured(value, None)


def _passes(verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    """Return the passes of each limit, the one nearest to its bound first."""
    passes = [verdict for verdict in verdicts if verdict.outcome == "pass"]
    found = grouped(passes, lambda verdict: str(verdict.limit))
    return [
        sorted(some, key=lambda each: -inf if each.excess is None else each.excess, reverse=True)
        for some in found.values()
    ]


def _filled(*columns: TextColumn) -> list[TextColumn]:
    return [column for column in columns if any(column.cells)]


def _rows_words(line: Sequence[Verdict]) -> str:
    more = f"{len(line)} rows, the nearest: " if len(line) > 1 else ""
    return more + _verdict_words(line[0])


def _row_words(table: str, row: Mapping[str, Cell]) -> str:
    setting = {
        name: row[name]
        for name in TABLES[table].key
        if name not in _WITHIN and row[name] != _USUAL.get(name)
    }
    if table == "layers":  # a moment of a step has a number, and is known to people by its layer
        setting["position"] = f"{row['layer']} {row['phase']}"
    return f"{method_words(row)}, {phrases(setting)}"


def _figure(verdict: Verdict, value: float | None) -> str:
    return _figure_words(verdict.limit.column, value)


def _figures(change: Change) -> Iterable[str]:
    values = (change.before, change.after)
    return [_figure_words(change.limit.column, value) or "-" for value in values]


def _change(change: Change) -> str:
    if change.before is None:
        return "new"
    if change.after is None:
        return "gone"
    return f"{100 * (change.after / change.before - 1):+.2g} %" if change.before else ""


def _count(verdicts: Sequence[Verdict]) -> str:
    counts = {mark: sum(each.outcome == name for each in verdicts) for name, mark in _MARKS.items()}
    return ", ".join(f"{count} {mark}" for mark, count in counts.items() if count)


def _complaint(verdict: Verdict) -> str:
    """Return what is wrong, in one line."""
    column = verdict.limit.column
    if verdict.bound is None or verdict.value is None:
        return verdict.message
    words = (
        f"{column.name} is {_figure_words(column, verdict.value)}, {_excess_words(verdict)} beyond "
    )
    words += _figure_words(column, verdict.bound)
    if verdict.reference is None or verdict.limit.reference is None:
        return words
    return f"{words}; {verdict.limit.reference} has {_figure_words(column, verdict.reference)}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
