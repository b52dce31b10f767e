"""Show the progress of measurements on standard error: a bar in a terminal, else lines."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar
from rich.progress import TimeElapsedColumn as Elapsed
from rich.progress import TimeRemainingColumn as Remaining
from rich.table import Column

from xconv_bench import interrupts
from xconv_bench.configuration import Configuration
from xconv_bench.events import Progress
from xconv_bench.naming import method_words, model_words
from xconv_bench.plain_text import visible
from xconv_bench.report.words import status_words

_LOOK_BACK_SECONDS = 1000
"""Estimates of the time left look back this far: measurements differ in length."""


class RowWatcher(Protocol):
    """Watches the rows of an experiment."""

    def wrote(self, configuration: Configuration, rows: Sequence[Mapping[str, Any]]) -> None:
        """Hear of rows that are on the disk before their measurement ends."""

    def finished(self, configuration: Configuration, row: Mapping[str, Any], known: bool) -> None:
        """Hear that all rows of a cell are on the disk; ``known`` if they were there before."""


class SweepProgress:
    """Show the progress of ``total`` measurements, of one experiment or of several in turn.

    The bar is shown within a ``with`` block, which may be entered again. Without ``has_lines`` it
    is all that is shown. A notebook has lines in any case, and no bar: each frame of one would be
    an output of its own.
    """

    def __init__(self, total: int, has_lines: bool = True) -> None:
        is_notebook = Console().is_jupyter
        self._console = Console(
            stderr=True, highlight=False, force_jupyter=False,
            force_terminal=False if is_notebook else None,
        )  # fmt: skip
        self._has_lines = has_lines or is_notebook
        self._total = total
        self._others: Sequence[RowWatcher] = ()
        self._done = 0
        self._running: dict[Configuration, tuple[float, float]] = {}
        self._bar = Bar(
            SpinnerColumn("dots" if self._console.encoding.startswith("utf") else "line"),
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
            speed_estimate_period=_LOOK_BACK_SECONDS,
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

    def says(self, text: str) -> None:
        """Print a line that stays, where it can be written."""
        if not self._has_lines:
            return
        with suppress(OSError):
            self._console.print(visible(text), markup=False, soft_wrap=True)

    def prepares(self, what: str) -> None:
        """Show what is being prepared before measurements begin."""
        interrupts.check()
        self._describe(what)

    def prepared(self, what: str, message: str) -> None:
        """Print the outcome of a preparation."""
        self.says(f"{what}: {message}")

    def started(self, configuration: Configuration) -> None:
        """Show which measurement began."""
        interrupts.check()
        self._running[configuration] = (time.monotonic(), 0.0)
        beside = f"{len(self._running)} at once, " if len(self._running) > 1 else ""
        self._describe(beside + _words(configuration))
        self._bar.refresh()  # a measurement may end before the bar's own next frame

    def progressed(self, configuration: Configuration, progress: Progress) -> None:
        """Show how much of a measurement is done."""
        if configuration in self._running:
            began, _ = self._running[configuration]
            self._running[configuration] = (began, progress.fraction)
        if progress.said:
            self._describe(f"{progress.said}: {_words(configuration)}")
        self._update()

    @contextmanager
    def joined_by(self, *watchers: RowWatcher) -> Iterator[None]:
        """Let others hear of rows, too, within."""
        before, self._others = self._others, watchers
        try:
            yield
        finally:
            self._others = before

    def wrote(self, configuration: Configuration, rows: Sequence[Mapping[str, Any]]) -> None:
        """Let others hear of rows that are on the disk."""
        for other in self._others:
            other.wrote(configuration, rows)

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        """Count a measurement that ended, and print its outcome."""
        for other in self._others:
            other.finished(configuration, row, known)
        self._done += 1
        began, _ = self._running.pop(configuration, (None, 0.0))
        self._update()
        seconds = None if began is None else time.monotonic() - began
        took = "already measured" if known else "" if seconds is None else f"{seconds:.0f} s"
        words = ", ".join(part for part in (status_words(str(row["status"])), took) if part)
        self.says(f"[{self._done}/{self._total}] {_words(configuration)}: {words}")
        interrupts.check()

    def _describe(self, what: str) -> None:
        self._bar.update(self._task, description=visible(what))

    def _update(self) -> None:
        running = sum(fraction for _, fraction in self._running.values())
        self._bar.update(self._task, completed=self._done + running)


def _words(configuration: Configuration) -> str:
    repeat = configuration.key.get("repeat")
    knobs = (
        model_words(configuration.model),
        method_words(configuration.key),
        f"batch {configuration.batch_size}" if "batch_size" in configuration.key else None,
        f"{configuration.image_size} px",
        configuration.dtype,
        configuration.device,
        f"repeat {repeat}" if repeat else None,
    )
    return " ".join(str(knob) for knob in knobs if knob is not None)
