"""The report as one HTML page that needs no other file and no network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xconv_bench import __version__
from xconv_bench.plain_text import visible
from xconv_bench.report.canvas.files import draw, kept_as
from xconv_bench.report.page.chapters import Chapter, chapters_of
from xconv_bench.report.page.comparison import Comparison, compare
from xconv_bench.report.page.drawing import Embedded
from xconv_bench.report.page.environment import continuations_of, properties_of
from xconv_bench.report.page.verdict import RunVerdict, verdict_of
from xconv_bench.report.pictures import ratios
from xconv_bench.results.files import explained, write_whole
from xconv_bench.results.recorded import RecordedRun

MOST_CHANGES = 100
"""Figures of the comparison that a page shows."""
MOST_DRAWN_CHANGES = 16
"""Figures of the comparison in its picture."""


def write_page(runs: Sequence[RecordedRun], skipped: Sequence[str], path: Path) -> None:
    """Write the report on the runs to ``path``; ``skipped`` says what could not be read.

    Raises BenchError where it cannot be written.
    """
    text = page_of(runs, skipped)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())


def page_of(runs: Sequence[RecordedRun], skipped: Sequence[str]) -> str:
    """Return the text of the page."""
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
    verdicts, chapters = [verdict_of(run) for run in runs], chapters_of(runs)
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
        **_comparison(comparison),
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


def changed(comparison: Comparison) -> list[ratios.Changed]:
    """Return the largest changes as they are drawn."""
    return [
        ratios.Changed(
            f"{change.table}: {change.figure} of {change.method}, {change.where}",
            change.colour,
            change.ratios[1:],
        )
        for change in comparison.changes
        if change.size > 0 and any(ratio is not None for ratio in change.ratios)
    ][:MOST_DRAWN_CHANGES]


def _comparison(comparison: Comparison | None) -> dict[str, Any]:
    if comparison is None:
        return {"comparison": None, "changes": [], "comparison_picture": None}
    return {
        "comparison": comparison,
        "changes": comparison.changes[:MOST_CHANGES],
        "comparison_picture": _picture(comparison),
    }


def _picture(comparison: Comparison) -> bytes | None:
    with TemporaryDirectory() as folder, kept_as("png"):
        paths = draw(ratios.comparison(changed(comparison), comparison.runs), Path(folder))
        return paths[0].read_bytes() if paths else None


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
