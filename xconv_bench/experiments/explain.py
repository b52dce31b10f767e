"""Explanations of memory: who keeps it in each configuration, and what is there at the peak."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from xconv_bench.configuration import Configuration
from xconv_bench.experiments.cross_checks import Silent
from xconv_bench.experiments.writing import key_of, key_of_row
from xconv_bench.explanation import Explanation
from xconv_bench.launch import Job, Launcher
from xconv_bench.measurement.explaining import EXPLANATION, Explaining
from xconv_bench.results.statuses import MEASURED_STATUSES
from xconv_bench.results.table import Row


def explain_cells(
    cells: Sequence[Configuration], rows: Sequence[Row], launcher: Launcher
) -> list[tuple[Row, Explanation | str]]:
    """Return what holds the memory of each of ``cells`` that has been measured, with its row.

    It is measured again, whatever the directory of the run holds, and written nowhere. Repeats
    hold the same: the first of them speaks for all. A string says why it is not known.
    """
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        if row["status"] in MEASURED_STATUSES:
            found.setdefault(key_of_row(row, cells[0].key), row)
    measured = [cell for cell in cells if key_of(cell) in found and not cell.key.get("repeat")]
    jobs = [Job.of(Explaining(cell), cell) for cell in measured]
    explanations = []
    with closing(launcher.each(jobs, Silent())) as results:
        for job, outcome in results:
            explanation = outcome.readings.get(EXPLANATION)
            row = found[key_of(job.cells[0])]
            explanations.append((row, explanation or outcome.message or outcome.status))
    places = {id(found[key_of(cell)]): place for place, cell in enumerate(measured)}
    return sorted(explanations, key=lambda pair: places[id(pair[0])])
