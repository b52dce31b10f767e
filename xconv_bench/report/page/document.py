"""The report as one HTML page that needs no other file and no network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from xconv_bench import __version__
from xconv_bench.plain_text import visible
from xconv_bench.report.page.comparison import compare
from xconv_bench.report.page.drawing import Embedded, Gallery, embedded_comparison, gallery_of
from xconv_bench.report.page.environment import continuations_of, properties_of
from xconv_bench.report.page.figures import TableOutcome, outcomes_of
from xconv_bench.report.page.sheets import Sheet, sheet_of
from xconv_bench.report.page.verdict import RunVerdict, verdict_of
from xconv_bench.results.files import explained, write_whole
from xconv_bench.results.recorded import RecordedRun
from xconv_bench.results.schema import TABLES, Schema

MOST_CHANGES = 100
"""Figures of the comparison that a page shows."""
MOST_DOWNLOAD_BYTES = 16 * 2**20
"""Larger files do not lie in the page."""


@dataclass(frozen=True)
class Download:
    """A table as it lies on the disk; ``address`` is empty where it is too large for a page."""

    run: str
    file: str
    address: str


@dataclass(frozen=True)
class Chapter:
    """One table: its findings, pictures, rows and downloads."""

    kind: Schema
    outcomes: list[TableOutcome]
    galleries: list[Gallery]
    sheet: Sheet
    downloads: list[Download]


def write_page(runs: Sequence[RecordedRun], skipped: Sequence[str], path: Path) -> None:
    """Write the report on the runs to ``path``; ``skipped`` says what could not be read.

    Raises BenchError where it cannot be written.
    """
    text = page_of(runs, skipped)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())


def page_of(runs: Sequence[RecordedRun], skipped: Sequence[str]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_part),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["base64"] = lambda content: b64encode(content).decode()
    comparison = compare(runs) if len(runs) > 1 else None
    verdicts, chapters = [verdict_of(run) for run in runs], _chapters(runs)
    return environment.get_template("page.html.j2").render(
        css=_part("page.css"),
        script=_part("page.js"),
        runs=runs,
        skipped=skipped,
        version=__version__,
        properties=properties_of(runs),
        continuations=continuations_of(runs),
        verdicts=verdicts,
        lead=_lead(verdicts, chapters),
        chapters=chapters,
        comparison=comparison,
        changes=comparison.changes[:MOST_CHANGES] if comparison else [],
        comparison_picture=embedded_comparison(comparison) if comparison else None,
    )


def _lead(verdicts: Sequence[RunVerdict], chapters: Sequence[Chapter]) -> Embedded | None:
    """Return the picture that stands with the verdict; several runs have that of what changed."""
    first = next((each for verdict in verdicts for each in verdict.verdicts), None)
    if first is None or len(verdicts) > 1:
        return None
    galleries = (each.galleries[0] for each in chapters if each.kind == first.table)
    return next((picture for gallery in galleries for picture in gallery.pictures), None)


def _shown(value: Any) -> Any:
    """Keep what a user or a network named text; styles and scripts are ours."""
    is_text = isinstance(value, str) and not hasattr(value, "__html__")
    return visible(value) if is_text else value


def _chapters(runs: Sequence[RecordedRun]) -> list[Chapter]:
    """Return a chapter for each table that any run has."""
    measured = [kind for kind in TABLES.values() if any(kind.name in run.tables for run in runs)]
    return [_chapter(kind, [run for run in runs if kind.name in run.tables]) for kind in measured]


def _chapter(kind: Schema, runs: Sequence[RecordedRun]) -> Chapter:
    return Chapter(
        kind,
        outcomes_of(kind, runs),
        [gallery_of(kind, run) for run in runs],
        sheet_of(kind, {run.name: run.tables[kind.name].rows for run in runs}),
        [_download(kind, run) for run in runs],
    )


def _download(kind: Schema, run: RecordedRun) -> Download:
    content = run.tables[kind.name].content
    is_small = len(content) <= MOST_DOWNLOAD_BYTES
    text = b64encode(content).decode() if is_small else ""
    address = f"data:text/csv;charset=utf-8;base64,{text}" if is_small else ""
    return Download(run.name, f"{kind.name}.csv", address)


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
