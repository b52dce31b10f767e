"""A chapter of the report for each table that was measured."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from xconv_bench.report.page.drawing import Embedded, embedded_pictures
from xconv_bench.report.page.findings import Finding, findings, statuses
from xconv_bench.report.page.sheets import Sheet, sheet_of
from xconv_bench.report.settings import Beside
from xconv_bench.results.recorded import RecordedRun
from xconv_bench.results.schema import TABLES, Schema

MOST_FINDINGS = 6
"""Settings of a table and run that the summary speaks of."""
MOST_DOWNLOAD_BYTES = 16 * 2**20
"""Larger files do not lie in the page."""


@dataclass(frozen=True)
class Gallery:
    """The pictures of a run, and remarks on what they do not show."""

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
class TableOutcome:
    """The findings of a table of a run; ``more`` settings are not spoken of."""

    run: str
    kind: Schema
    rows: int
    statuses: str
    findings: list[Finding]
    more: int


@dataclass(frozen=True)
class Chapter:
    """One table: its findings, pictures, rows and downloads."""

    kind: Schema
    outcomes: list[TableOutcome]
    galleries: list[Gallery]
    sheet: Sheet
    downloads: list[Download]


def chapters_of(runs: Sequence[RecordedRun]) -> list[Chapter]:
    """Return a chapter for each table that any run has."""
    measured = [kind for kind in TABLES.values() if any(kind.name in run.tables for run in runs)]
    return [_chapter(kind, [run for run in runs if kind.name in run.tables]) for kind in measured]


def outcomes_of(kind: Schema, runs: Sequence[RecordedRun]) -> list[TableOutcome]:
    """Return what the table says in each of the runs that have it."""
    outcomes = []
    for run in runs:
        if kind.name in run.tables:
            rows = run.tables[kind.name].rows
            found, count = findings(kind, rows, MOST_FINDINGS)
            more = count - len(found)
            outcomes.append(TableOutcome(run.name, kind, len(rows), statuses(rows), found, more))
    return outcomes


def beside_of(run: RecordedRun) -> Beside:
    """Return what is drawn into the pictures of a run beside their rows."""
    table = run.tables.get("variance_law")
    return Beside(list(table.rows) if table else [], run.path / "pictures")


def _chapter(kind: Schema, runs: Sequence[RecordedRun]) -> Chapter:
    return Chapter(
        kind,
        outcomes_of(kind, runs),
        [_gallery(kind, run) for run in runs],
        sheet_of(kind, {run.name: run.tables[kind.name].rows for run in runs}),
        [_download(kind, run) for run in runs],
    )


def _gallery(kind: Schema, run: RecordedRun) -> Gallery:
    rows = run.tables[kind.name].rows
    return Gallery(run.name, *embedded_pictures(kind, rows, beside_of(run)))


def _download(kind: Schema, run: RecordedRun) -> Download:
    content = run.tables[kind.name].content
    is_small = len(content) <= MOST_DOWNLOAD_BYTES
    text = b64encode(content).decode() if is_small else ""
    address = f"data:text/csv;charset=utf-8;base64,{text}" if is_small else ""
    return Download(run.name, f"{kind.name}.csv", address)
