"""An experiment: what a command that measures returns, planned but not yet carried out.

``main`` carries out one; ``xconv-bench run`` plans several first, and puts all in one directory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xconv_bench import interrupts
from xconv_bench.cli.resume import resumable
from xconv_bench.cli.streams import say
from xconv_bench.configuration import SIMULATED

if TYPE_CHECKING:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.configuration import Configuration
    from xconv_bench.events import Work
    from xconv_bench.launch import Launcher
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row

MeasureRows = Callable[["RunDirectory", "SweepProgress"], "list[Row]"]
DrawRows = Callable[["list[Row]", "RunDirectory"], "Sequence[Path]"]
ShowRows = Callable[["list[Row]", "RunDirectory"], None]


def exit_code(rows: Sequence[Row]) -> int:
    """Return 1 if something could not be measured, else 0; running out of memory is a result.

    A simulation that a real step contradicts counts as not measured.
    """
    has_failed = any(row["status"] in ("error", "timeout") for row in rows)
    return int(has_failed or not any(map(_is_measured, rows)))


def _is_measured(row: Row) -> bool:
    is_doubtful = row["status"] == "doubtful"
    return row["status"] == "ok" or (is_doubtful and row["device"] != SIMULATED)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A planned experiment: options are read and checked, nothing is measured or written yet.

    Args:
        name: name of the run directory where ``output`` gives none.
        cells: the measurements.
        tables: names of the tables that ``measure`` writes.
        launcher: runs the measurements.
        measure: measures what the tables of a run lack, and returns the rows.
        draw: draws the rows, and returns the paths of the pictures.
        show: prints the rows.
        steps: training steps of a measurement, roughly.
        simulations: simulated steps of a measurement that is simulated, roughly.
        output: run directory, or None for a new one.
        log: trackers that rows are logged to, as ``tracking.read_places`` returns them.
        code: makes the exit code from the rows.
        estimate: makes the work that simulates a cell for ``--dry-run``; None for a step of the
            model of the cell.
    """

    name: str
    cells: Sequence[Configuration]
    tables: tuple[str, ...]
    launcher: Launcher
    measure: MeasureRows
    draw: DrawRows
    show: ShowRows
    steps: int
    simulations: int = 1
    output: Path | None
    log: tuple[str, ...] = ()
    code: Callable[[Sequence[Row]], int] = exit_code
    estimate: Callable[[Any], Work] | None = None

    def check(self, run: RunDirectory) -> None:
        """Raise BenchError for a file in the directory that is no table of this version."""
        for name in self.tables:
            run.table(name).rows()

    def carry_out(self) -> int:
        """Measure into a run directory and show the results; return the exit code."""
        from xconv_bench.cli.progress import SweepProgress
        from xconv_bench.results.environment import record_environment
        from xconv_bench.results.run_directory import RunDirectory

        with RunDirectory(self.name, self.cells[0].model, self.output) as run, resumable(run):
            self.check(run)
            record_environment(run.environment, self.cells[0].seed)
            rows, pictures = self.measure_and_show(run, SweepProgress(len(self.cells)))
            print_written([self], run, pictures)
        return self.code(rows)

    def measured(self, run: RunDirectory, progress: SweepProgress) -> list[Row]:
        """Measure, and log what is measured where that is asked for; return the rows."""
        from xconv_bench.tracking import opened

        with opened(self.log, self.name, progress.says) as loggers, progress.joined_by(*loggers):
            return self.measure(run, progress)

    def measure_and_show(
        self, run: RunDirectory, progress: SweepProgress, earlier: Sequence[Row] = ()
    ) -> tuple[list[Row], Sequence[Path]]:
        """Measure and show; return the rows, which are on disk, and the paths of the pictures.

        ``earlier`` rows of the same tables are drawn, too, so that new pictures do not lose them.
        """
        from xconv_bench.results.environment import record_machines

        with progress:
            rows = self.measured(run, progress)
            record_machines(run.environment, self.launcher.machines())
        interrupts.check()
        # Before printing: who reads our output may close it after the first lines.
        both = {tuple(row.values()): row for row in (*earlier, *rows)}
        pictures = self.draw(list(both.values()), run)
        self.show(rows, run)
        return rows, pictures


def print_written(
    experiments: Sequence[Experiment], run: RunDirectory, pictures: Sequence[Path]
) -> None:
    """Print the paths of the results of a run."""
    tables = dict.fromkeys(name for experiment in experiments for name in experiment.tables)
    say()
    for path in (*(run.table(name).path for name in tables), run.environment, *pictures):
        if path.exists():
            say(f"written: {path}")
