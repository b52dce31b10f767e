"""The pictures of runs as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.report.canvas.files import draw, kept_as
from xconv_bench.report.page.chapters import beside_of
from xconv_bench.report.page.comparison import compare
from xconv_bench.report.page.document import changed
from xconv_bench.report.page.drawing import write_pictures
from xconv_bench.report.pictures.ratios import comparison
from xconv_bench.results.recorded import RecordedRun
from xconv_bench.results.schema import TABLES


def write_all_pictures(
    runs: Sequence[RecordedRun], output: Path | None, kind: str
) -> tuple[list[Path], list[str]]:
    """Write all pictures as ``kind`` (png, svg or pdf); return their paths, and what is not shown.

    They lie in ``plots`` of each run, or in the folder ``output``, with several runs in a folder
    of each run below it; the picture of the comparison in the first, or in ``output``. Raises
    UsageError where ``output`` is a file, BenchError where nothing can be drawn or written.
    """
    if output is not None and output.exists() and not output.is_dir():
        raise UsageError(f"--output {output} is a file: pictures need a folder")
    paths: list[Path] = []
    remarks: list[str] = []
    for run in runs:
        folder = _folder(run, runs, output)
        for name, table in run.tables.items():
            some, said = write_pictures(TABLES[name], table.rows, beside_of(run), folder, [kind])
            paths += some
            remarks += [f"{run.name}, {name}: {line}" for line in said]
    if len(runs) > 1:
        compared = compare(runs)
        with kept_as(kind):
            folder = output or runs[0].plots
            paths += draw(comparison(changed(compared), compared.runs), folder)
    if not paths:
        raise BenchError("there is nothing to draw: no table holds a figure that was measured")
    return paths, remarks


def _folder(run: RecordedRun, runs: Sequence[RecordedRun], output: Path | None) -> Path:
    if output is None:
        return run.plots
    return output / run.name if len(runs) > 1 else output
