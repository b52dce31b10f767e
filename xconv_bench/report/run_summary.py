"""What came of the experiments of a profile, one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from xconv_bench.report.settings import of_network
from xconv_bench.report.text_table import Column, open_console, print_columns, print_heading
from xconv_bench.report.units import format_duration
from xconv_bench.report.words import status_words
from xconv_bench.results.table import Row


@dataclass(frozen=True)
class Part:
    """An experiment: its rows, how long it took, and why it was not made where it was not."""

    name: str
    rows: Sequence[Row]
    seconds: float
    message: str = ""

    @property
    def outcome(self) -> str:
        """``12 ok, 1 out of memory``: of measurements, not of layers or moments."""
        if self.message:
            return f"not made: {self.message}"
        # Of the moments of a step, the first tells how the measurement ended.
        firsts = [row for row in self.rows if row.get("position") == 0]
        counts = Counter(str(row["status"]) for row in firsts or of_network(self.rows))
        return ", ".join(f"{count} {status_words(status)}" for status, count in counts.items())


def print_run_summary(title: str, parts: Sequence[Part], file: IO[str] | None = None) -> None:
    """Print a line for each experiment; ``file`` is standard output where None is given."""
    console = open_console(file)
    print_heading(console, title, is_first=True)
    print_columns(
        console,
        [Column("experiment", [part.name for part in parts], "left")],
        [
            Column("outcome", [part.outcome for part in parts], "left"),
            Column("time", [format_duration(part.seconds) for part in parts]),
        ],
    )
