"""How a sweep gets on, on standard error: a bar in a terminal, a line a measurement elsewhere."""

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.progress import TimeRemainingColumn as Remaining
from rich.table import Column

from xconv_bench.configuration import Configuration
from xconv_bench.report.words import method_words, status_words


class SweepProgress:
    """Watches an experiment of ``total`` measurements."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._total = total
        self._done = 0
        self._began = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            Elapsed(),
            TextColumn("left"),
            Remaining(compact=True),
            # The only one that gives way in a narrow terminal.
            TextColumn(
                "{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)
            ),
            expand=True,
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=total)

    def __enter__(self) -> "SweepProgress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def prepares(self, what: str) -> None:
        """Say what has to be done before measurements can begin."""
        self._bar.update(self._task, description=what)

    def prepared(self, what: str, message: str) -> None:
        """Say what came of it."""
        self._console.print(f"{what}: {message}", markup=False, soft_wrap=True)

    def started(self, configuration: Configuration) -> None:
        """Say what is being measured."""
        self._began = time.monotonic()
        self._bar.update(self._task, description=_describe(configuration))

    def progressed(self, fraction: float) -> None:
        """Say how much of the present measurement is done, from 0 to 1."""
        self._bar.update(self._task, completed=self._done + fraction)

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        """Say what came of it."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        took = "already measured" if known else f"{time.monotonic() - self._began:.0f} s"
        self._console.print(
            f"[{self._done}/{self._total}] {_describe(configuration)}: "
            f"{status_words(str(row['status']))}, {took}",
            markup=False,
            soft_wrap=True,
        )


def _describe(configuration: Configuration) -> str:
    repeat = configuration.key.get("repeat")
    knobs = (
        configuration.model,
        method_words(configuration.key),
        f"batch {configuration.batch_size}" if "batch_size" in configuration.key else None,
        f"{configuration.image_size} px",
        configuration.dtype,
        configuration.device,
        f"repeat {repeat}" if repeat else None,
    )
    return " ".join(str(knob) for knob in knobs if knob is not None)
