"""The rows of ``layers.csv`` as tables for people: the peaks, and which layers hold the most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from xconv_bench.report.notes import notes_of
from xconv_bench.report.published import published_layers_peak
from xconv_bench.report.settings import Setting, is_reference, number, settings_of
from xconv_bench.report.summary import Row
from xconv_bench.report.text_table import (
    Column,
    aligned,
    open_console,
    print_columns,
    print_heading,
    print_legend,
    print_notes,
)
from xconv_bench.report.units import format_bytes, format_ratio
from xconv_bench.report.words import method_words, status_words
from xconv_bench.results.columns import ALL_LAYERS, LAYERS_KEY

if TYPE_CHECKING:
    from rich.console import Console

MOST_LAYERS = 10

_MEANINGS = (
    ("peak", "the most memory of the step, and in brackets its ratio to exact"),
    ("above start", "the same less what there was before the step: weights, gradients, the batch"),
    ("at", "the layer before whose end it was reached, and in which pass"),
    ("holds", "what is there behind the layer's forward pass and was not before it"),
)


def print_layers_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print the peak of each method, and the layers that hold the most, methods side by side.

    ``rows`` are as ``Table.rows`` returns them; ``file`` is standard output where None is given.
    """
    console = open_console(file)
    settings = settings_of(rows, _SETTING_KEY)
    if not settings:
        console.print("Nothing was measured.")
        return
    for setting in settings:
        print_heading(console, setting.title, is_first=setting is settings[0])
        steps = steps_of(setting)
        _print_peaks(console, steps)
        _print_holders(console, steps)
    # Messages are of the step as a whole.
    firsts = [{**row, "layer": ALL_LAYERS} for row in rows if row["position"] == 0]
    print_notes(console, notes_of(settings_of(firsts, _SETTING_KEY)))
    print_legend(console, _MEANINGS)


def steps_of(setting: Setting) -> dict[str, list[Row]]:
    """The moments of each method's step, by its name in words."""
    steps: dict[str, list[Row]] = {}
    for row in setting.rows:
        steps.setdefault(method_words(row), []).append(row)
    return steps


def above_start(row: Row, column: str) -> float:
    """Bytes beyond those before the step."""
    return (number(row, column) or 0.0) - (number(row, "start_bytes") or 0.0)


def peak_of(step: Sequence[Row]) -> Row | None:
    """The moment by which the most memory was reached; None where nothing was measured."""
    measured = [row for row in step if number(row, "layer_peak_bytes") is not None]
    return max(measured, key=lambda row: number(row, "layer_peak_bytes") or 0.0, default=None)


def held_by(step: Sequence[Row]) -> dict[str, float]:
    """Bytes that each layer's forward pass leaves behind, by the layer's name."""
    held: dict[str, float] = {}
    before = above = 0.0
    for row in step:
        above = above_start(row, "layer_bytes")
        if row["phase"] == "forward" and row["layer"] != "loss":
            name = str(row["layer"])
            held[name] = held.get(name, 0.0) + above - before
        before = above
    return held


def _print_peaks(console: Console, steps: dict[str, list[Row]]) -> None:
    peaks = {name: peak_of(step) for name, step in steps.items()}
    exact = next((row for row in peaks.values() if row is not None and is_reference(row)), None)
    most = None if exact is None else number(exact, "layer_peak_bytes")
    cells = [_peak_cells(row, steps[name], most) for name, row in peaks.items()]
    headings = ("peak", "above start", "at", "paper")
    columns = [
        Column(heading, aligned(list(column), " ("), "left" if heading == "at" else "right")
        for heading, column in zip(headings, zip(*cells, strict=True), strict=True)
    ]
    kept = [column for column in columns if any(cell.strip() for cell in column.cells)]
    print_columns(console, [Column("method", list(peaks), "left")], kept)


def _peak_cells(row: Row | None, step: Sequence[Row], most: float | None) -> tuple[str, ...]:
    if row is None:
        return status_words(str(step[0]["status"])), "", "", ""
    peak = number(row, "layer_peak_bytes") or 0.0
    ratio = f" ({format_ratio(peak / most)})" if most and not is_reference(row) else ""
    published = published_layers_peak(row)
    return (
        format_bytes(peak) + ratio,
        format_bytes(above_start(row, "layer_peak_bytes")),
        f"{row['layer']}, {row['phase']}",
        "" if published is None else format_bytes(published),
    )


def _print_holders(console: Console, steps: dict[str, list[Row]]) -> None:
    held = {name: held_by(step) for name, step in steps.items() if peak_of(step) is not None}
    if not held:
        return
    first = next(iter(held.values()))
    layers = sorted(first, key=lambda layer: -first[layer])[:MOST_LAYERS]
    columns = [
        Column(name, [_bytes(layers_of.get(layer)) for layer in layers])
        for name, layers_of in held.items()
    ]
    print_heading(console, f"the layers that hold the most, by {next(iter(held))}")
    print_columns(console, [Column("layer", layers, "left")], columns)


def _bytes(held: float | None) -> str:
    if held is None:
        return ""
    return f"-{format_bytes(-held)}" if held < 0 else format_bytes(held)


_SETTING_KEY = tuple(column for column in LAYERS_KEY if column != "position")
