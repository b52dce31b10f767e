"""Snapshots of memory over time, a file a configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from xconv_bench.configuration import Configuration
from xconv_bench.events import Work
from xconv_bench.experiments.cross_checks import Silent
from xconv_bench.experiments.writing import key_of, key_of_row
from xconv_bench.launch import Job, Launcher
from xconv_bench.measurement.timeline import CudaSnapshot, SimulatedTrace
from xconv_bench.naming import cell_name, method_words, model_words
from xconv_bench.results.statuses import MEASURED_STATUSES
from xconv_bench.results.table import Row

TRACE, SNAPSHOT = ".json", ".pickle"
"""The endings of a simulated trace, and of torch's snapshot of a GPU."""

_OUT_OF_MEMORY = "oom"


def write_snapshots(
    cells: Sequence[Configuration],
    rows: Sequence[Row],
    folder: Path,
    launcher: Launcher,
    says: Callable[[str], None],
) -> list[Path]:
    """Write what ``folder`` lacks of the cells that were measured; return the paths of all.

    A cell that ran out of memory on a GPU has a snapshot, too. Repeats are alike: the first has
    one. ``says`` is told why there is none.
    """
    found = {key_of_row(row, cells[0].key): row["status"] for row in rows}
    wanted = {
        cell: _path(folder, cell)
        for cell in cells
        if _is_wanted(cell, str(found.get(key_of(cell)))) and not cell.key.get("repeat")
    }
    missing = {cell: path for cell, path in wanted.items() if not path.exists()}
    jobs = [Job.of(_work(cell, path.absolute()), cell) for cell, path in missing.items()]
    with closing(launcher.each(jobs, Silent())) as results:
        for job, outcome in results:
            if not missing[job.cells[0]].exists():
                words = f"{model_words(job.cells[0].model)} {method_words(job.cells[0].key)}"
                says(f"{words}: no snapshot: {outcome.message or outcome.status}")
    return [path for path in wanted.values() if path.exists()]


def _is_wanted(cell: Configuration, status: str) -> bool:
    return status in MEASURED_STATUSES or (_is_on_gpu(cell) and status == _OUT_OF_MEMORY)


def _is_on_gpu(cell: Configuration) -> bool:
    return cell.device.startswith("cuda")


def _path(folder: Path, cell: Configuration) -> Path:
    return folder / f"{cell_name(cell.key)}{SNAPSHOT if _is_on_gpu(cell) else TRACE}"


def _work(cell: Configuration, path: Path) -> Work:
    return CudaSnapshot(cell, path) if _is_on_gpu(cell) else SimulatedTrace(cell, path)
