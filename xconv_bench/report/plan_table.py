"""What a profile would measure, and what that would take, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO

from xconv_bench.report.text_table import (
    Column,
    open_console,
    print_columns,
    print_heading,
    print_legend,
    print_notes,
)
from xconv_bench.report.units import format_bytes, format_duration
from xconv_bench.report.words import method_words, phrases
from xconv_bench.results.columns import Cell

_SETTING = ("model", "batch_size", "image_size", "dtype", "device")
_MEANINGS = (
    (
        "peak",
        "of a training step, simulated: no workspaces of kernels, no fragmentation; of max-batch, "
        "what a step may take",
    ),
    (
        "time",
        "roughly: convolutions and matrix products of all steps at the speed of one convolution "
        "here",
    ),
)

Line = tuple[Mapping[str, Cell], int | None, float | None, str]
"""A cell, the peak of its step in bytes, how many seconds it takes, and what is to be said."""


def print_plan(
    title: str, experiments: Sequence[tuple[str, Sequence[Line]]], file: IO[str] | None = None
) -> None:
    """Print the cells of each experiment, and what all of them take together.

    ``file`` is standard output where None is given.
    """
    console = open_console(file)
    print_heading(console, title, is_first=True)
    for number, (command, lines) in enumerate(experiments, 1):
        print_heading(console, f"{number}. {command}: {_measurements(len(lines))}")
        keys = [line[0] for line in lines]
        identity = [
            Column("setting", [phrases(_setting(key)) for key in keys], "left"),
            Column("method", [method_words(key) for key in keys], "left"),
        ]
        figures = [
            Column("peak", [_bytes(peak) for _, peak, _, _ in lines]),
            Column("time", [_time(seconds) for _, _, seconds, _ in lines]),
        ]
        print_columns(console, identity, figures)
    everything = [line for _, lines in experiments for line in lines]
    print_notes(console, [*_notes(everything), _total(everything)])
    print_legend(console, _MEANINGS)


def _setting(key: Mapping[str, Cell]) -> dict[str, Cell]:
    return {name: key[name] for name in _SETTING if name in key}


def _total(lines: Sequence[Line]) -> str:
    seconds = [line[2] for line in lines if line[2] is not None]
    peaks = [line[1] for line in lines if line[1] is not None]
    words = [_measurements(len(lines))]
    words += [f"about {format_duration(sum(seconds))}"] if seconds else []
    words += [f"the largest peak {format_bytes(max(peaks))}"] if peaks else []
    return f"in all: {', '.join(words)}"


def _notes(lines: Sequence[Line]) -> list[str]:
    said = {f"{key['model']} {method_words(key)}: {message}" for key, _, _, message in lines
            if message}  # fmt: skip
    return sorted(said)


def _measurements(count: int) -> str:
    return "1 measurement" if count == 1 else f"{count} measurements"


def _bytes(peak: int | None) -> str:
    return "?" if peak is None else format_bytes(peak)


def _time(seconds: float | None) -> str:
    return "?" if seconds is None else format_duration(seconds)
