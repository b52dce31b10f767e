"""A chapter of the report for each table that was measured."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from xconv_bench.report.page.drawing import Beside, Embedded, embedded_pictures
from xconv_bench.report.page.findings import Finding, findings, statuses
from xconv_bench.report.page.kinds import KINDS, Kind
from xconv_bench.report.page.sheets import Sheet, sheet_of
from xconv_bench.results.recorded import RecordedRun

MOST_FINDINGS = 6
"""Settings of a table and run that the summary speaks of."""
MOST_DOWNLOAD_BYTES = 16 * 2**20
"""Larger files do not lie in the page."""


@dataclass(frozen=True)
class Gallery:
    """The pictures of a run, and what they do not show."""

    run: str
    pictures: list[Embedded]
    remarks: list[str]


@dataclass(frozen=True)
class Download:
    """A table as it lies on the disk; ``address`` is empty where it is too large for a page."""

    run: str
    file: str
    address: str


@dataclass(frozen=True)
class Outcome:
    """What a table of a run says in words; ``more`` settings are not spoken of."""

    run: str
    kind: Kind
    rows: int
    statuses: str
    findings: list[Finding]
    more: int


@dataclass(frozen=True)
class Chapter:
    """All that there is on one table."""

    kind: Kind
    outcomes: list[Outcome]
    galleries: list[Gallery]
    sheet: Sheet
    downloads: list[Download]


def chapters_of(runs: Sequence[RecordedRun]) -> list[Chapter]:
    """In the order of the report."""
    measured = [kind for kind in KINDS.values() if any(kind.name in run.tables for run in runs)]
    return [_chapter(kind, [run for run in runs if kind.name in run.tables]) for kind in measured]


def outcomes_of(kind: Kind, runs: Sequence[RecordedRun]) -> list[Outcome]:
    """What the table says in each of the runs that have it."""
    outcomes = []
    for run in runs:
        if kind.name in run.tables:
            rows = run.tables[kind.name].rows
            found, count = findings(kind, rows, MOST_FINDINGS)
            more = count - len(found)
            outcomes.append(Outcome(run.name, kind, len(rows), statuses(rows), found, more))
    return outcomes


def beside_of(run: RecordedRun) -> Beside:
    """What is drawn into its pictures beside their rows."""
    table = run.tables.get("variance_law")
    return Beside(list(table.rows) if table else [], run.path / "pictures")


def _chapter(kind: Kind, runs: Sequence[RecordedRun]) -> Chapter:
    return Chapter(
        kind,
        outcomes_of(kind, runs),
        [_gallery(kind, run) for run in runs],
        sheet_of(kind, {run.name: run.tables[kind.name].rows for run in runs}),
        [_download(kind, run) for run in runs],
    )


def _gallery(kind: Kind, run: RecordedRun) -> Gallery:
    rows = run.tables[kind.name].rows
    return Gallery(run.name, *embedded_pictures(kind, rows, beside_of(run)))


def _download(kind: Kind, run: RecordedRun) -> Download:
    content = run.tables[kind.name].content
    is_small = len(content) <= MOST_DOWNLOAD_BYTES
    text = b64encode(content).decode() if is_small else ""
    address = f"data:text/csv;charset=utf-8;base64,{text}" if is_small else ""
    return Download(run.name, f"{kind.name}.csv", address)
