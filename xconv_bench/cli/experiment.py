"""What a command that measures returns: an experiment, planned and not yet carried out.

``main`` carries it out; ``xconv-bench run`` plans several first, and has one directory for all.
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

Measure = Callable[["RunDirectory", "SweepProgress"], "list[Row]"]
Draw = Callable[["list[Row]", "RunDirectory"], "Sequence[Path]"]
Show = Callable[["list[Row]", "RunDirectory"], None]


def exit_code(rows: Sequence[Row]) -> int:
    """1 where something could not be measured; running out of memory is an answer.

    A simulation that a real step contradicts measured nothing.
    """
    has_failed = any(row["status"] in ("error", "timeout") for row in rows)
    return int(has_failed or not any(map(_is_measured, rows)))


def _is_measured(row: Row) -> bool:
    is_doubtful = row["status"] == "doubtful"
    return row["status"] == "ok" or (is_doubtful and row["device"] != SIMULATED)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything is read and checked; nothing is measured or written.

    ``cells`` are the measurements, of ``steps`` training steps each, roughly, or, where they are
    simulated, of so many ``simulations``. ``measure`` writes
    the ``tables``, and returns rows; ``draw`` returns the pictures of them that it wrote, ``show``
    prints them. ``estimate`` makes what simulates a cell before it is measured, where that is not a
    step of its model. ``name`` is that of the run directory, where ``output`` does not say another.
    """

    name: str
    cells: Sequence[Configuration]
    tables: tuple[str, ...]
    launcher: Launcher
    measure: Measure
    draw: Draw
    show: Show
    steps: int
    simulations: int = 1
    output: Path | None
    code: Callable[[Sequence[Row]], int] = exit_code
    estimate: Callable[[Any], Work] | None = None

    def check(self, run: RunDirectory) -> None:
        """Raises BenchError for a file in the directory that is no table of this version."""
        for name in self.tables:
            run.table(name).rows()

    def carry_out(self) -> int:
        """Measure into a directory of its own and show the results; the exit code."""
        from xconv_bench.cli.progress import SweepProgress
        from xconv_bench.results.environment import record_environment
        from xconv_bench.results.run_directory import RunDirectory

        with RunDirectory(self.name, self.cells[0].model, self.output) as run, resumable(run):
            self.check(run)
            record_environment(run.environment, self.cells[0].seed)
            rows, pictures = self.measure_and_show(run, SweepProgress(len(self.cells)))
            print_written([self], run, pictures)
        return self.code(rows)

    def measure_and_show(
        self, run: RunDirectory, progress: SweepProgress, earlier: Sequence[Row] = ()
    ) -> tuple[list[Row], Sequence[Path]]:
        """The rows, which are on the disk, and the pictures of them.

        ``earlier`` are rows of the same tables: they are drawn, too, so that no picture of them
        is replaced by one without them.
        """
        from xconv_bench.results.environment import record_machines

        with progress:
            rows = self.measure(run, progress)
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
    """Where the results of a run lie."""
    tables = dict.fromkeys(name for experiment in experiments for name in experiment.tables)
    say()
    for path in (*(run.table(name).path for name in tables), run.environment, *pictures):
        if path.exists():
            say(f"written: {path}")
