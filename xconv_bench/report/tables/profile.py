"""Profiles as tables for people: what one would measure and take, and what came of one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from xconv_bench.amounts import format_bytes
from xconv_bench.naming import method_words
from xconv_bench.report.rows import of_network
from xconv_bench.report.tables import terminal
from xconv_bench.report.tables.terminal import Printed, TextColumn, print_tables
from xconv_bench.report.words import counts_words, format_duration, known, phrases
from xconv_bench.results.schema import Cell
from xconv_bench.results.table import Row

_SETTING = ("model", "batch_size", "image_size", "dtype", "device")
_MEANINGS = (
    (
        "peak",
        "memory of a training step, simulated: no workspaces of kernels, no fragmentation; for "
        "max-batch what a step may take",
    ),
    (
        "time",
        "a rough estimate: convolutions and matrix products of all steps at the speed of one "
        "convolution here",
    ),
)

PlannedLine = tuple[Mapping[str, Cell], int | None, float | None, str]
"""A cell, the peak of its step in bytes, how many seconds it takes, and what is to be said."""


@dataclass(frozen=True)
class Part:
    """An experiment: its rows, how long it took, and why it was not made where it was not."""

    name: str
    rows: Sequence[Row]
    seconds: float
    message: str = ""

    @property
    def outcome(self) -> str:
        """Return how many measurements ended how: ``12 ok, 1 out of memory``."""
        if self.message:
            return f"not made: {self.message}"
        # The first of the moments of a step tells how the measurement ended.
        firsts = [row for row in self.rows if row.get("position") == 0]
        counts = Counter(str(row["status"]) for row in firsts or of_network(self.rows))
        return counts_words(counts)


def print_run_summary(title: str, parts: Sequence[Part], file: IO[str] | None = None) -> None:
    """Print a line for each experiment."""
    names = TextColumn("experiment", [part.name for part in parts], "left")
    figures = [
        TextColumn("outcome", [part.outcome for part in parts], "left"),
        TextColumn("time", [format_duration(part.seconds) for part in parts]),
    ]
    print_tables(Printed([terminal.Block(title, [names], figures)]), file)


def print_plan(
    title: str,
    experiments: Sequence[tuple[str, Sequence[PlannedLine]]],
    file: IO[str] | None = None,
) -> None:
    """Print the cells of each experiment, and what all of them take together."""
    parts = [
        _part(f"{number}. {command}: {_measurements(len(lines))}", lines)
        for number, (command, lines) in enumerate(experiments, 1)
    ]
    everything = [line for _, lines in experiments for line in lines]
    notes = [*_notes(everything), _total(everything)]
    print_tables(Printed([terminal.Block(title, [], []), *parts], notes, _MEANINGS), file)


def _part(heading: str, lines: Sequence[PlannedLine]) -> terminal.Block:
    keys = [line[0] for line in lines]
    settings = [{name: key[name] for name in _SETTING if name in key} for key in keys]
    return terminal.Block(
        heading,
        [
            TextColumn("setting", [phrases(setting) for setting in settings], "left"),
            TextColumn("method", [method_words(key) for key in keys], "left"),
        ],
        [
            TextColumn("peak", [known(peak, format_bytes) for _, peak, _, _ in lines]),
            TextColumn("time", [known(seconds, format_duration) for _, _, seconds, _ in lines]),
        ],
    )


def _total(lines: Sequence[PlannedLine]) -> str:
    seconds = [line[2] for line in lines if line[2] is not None]
    peaks = [line[1] for line in lines if line[1] is not None]
    words = [_measurements(len(lines))]
    words += [f"about {format_duration(sum(seconds))}"] if seconds else []
    words += [f"the largest peak {format_bytes(max(peaks))}"] if peaks else []
    return f"in all: {', '.join(words)}"


def _notes(lines: Sequence[PlannedLine]) -> list[str]:
    said = {f"{key['model']} {method_words(key)}: {message}" for key, _, _, message in lines
            if message}  # fmt: skip
    return sorted(said)


def _measurements(count: int) -> str:
    return "1 measurement" if count == 1 else f"{count} measurements"
