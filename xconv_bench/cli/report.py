"""``xconv-bench report``: show what runs have measured as a page, Markdown or pictures."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xconv_bench.cli.streams import say, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xconv_bench.results.recorded import RecordedRun


class FileFormat(StrEnum):
    """The format of a report."""

    html = "html"
    markdown = "markdown"
    png = "png"
    svg = "svg"
    pdf = "pdf"


Runs = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="RUN",
        help="Run directories to report on; several are compared.",
        show_default="the newest in runs",
    ),
]
ReportFormat = Annotated[
    FileFormat,
    typer.Option(
        "--format",
        help="Format of the report: html for one page, markdown for a pull request, or png, svg or "
        "pdf for the pictures alone.",
    ),
]
ReportOutput = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="PATH",
        help="File to write for html and markdown, or a folder.",
        show_default="report.html in the first RUN, pictures in plots of each RUN, "
        "Markdown on standard output",
    ),
]


def report(
    runs: Runs = None, kind: ReportFormat = FileFormat.html, output: ReportOutput = None
) -> None:
    """Report what runs have measured: a summary, pictures, tables, and how the runs differ.

    The page is one file and works offline. Nothing is measured.
    """
    from xconv_bench.cli.newest import take_newest
    from xconv_bench.results.recorded import read_runs

    found, skipped = read_runs(runs or [take_newest()])
    for line in skipped:
        tell(line)
    if kind is FileFormat.html:
        _write_page(found, skipped, output)
    elif kind is FileFormat.markdown:
        _write_markdown(found, skipped, output)
    else:
        _write_pictures(found, kind.value, output)


def _write_page(runs: Sequence[RecordedRun], skipped: Sequence[str], output: Path | None) -> None:
    path = _file(output or runs[0].path, ".html")
    from xconv_bench.report.page.document import write_page

    write_page(runs, skipped, path)
    say(f"written: {path}")


def _write_markdown(
    runs: Sequence[RecordedRun], skipped: Sequence[str], output: Path | None
) -> None:
    path = None if output is None else _file(output, ".md")
    from xconv_bench.report.page.markdown import markdown_of
    from xconv_bench.results.files import explained, write_whole

    text = markdown_of(runs, skipped)
    if path is None:
        print(text, end="")
        return
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    say(f"written: {path}")


def _write_pictures(runs: Sequence[RecordedRun], kind: str, output: Path | None) -> None:
    from xconv_bench.report.page.drawing import write_all_pictures

    paths, remarks = write_all_pictures(runs, output, kind)
    for line in remarks:
        tell(line)
    for path in paths:
        say(f"written: {path}")


def _file(output: Path, ending: str) -> Path:
    """Return ``output`` if it is a file of this kind, else ``report`` with this ending in it."""
    from xconv_bench.errors import UsageError
    from xconv_bench.paths import is_file, is_folder

    if output.suffix.lower() == ending and not is_folder(output):
        return output
    if is_file(output):
        raise UsageError(
            f"--output {output} is a file: give a folder, or a file ending in {ending}"
        )
    return output / f"report{ending}"
