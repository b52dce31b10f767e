"""Tables with a line for each layer: which hold the most, and what a plan keeps of each."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from xconv_bench.amounts import format_bytes, format_seconds
from xconv_bench.naming import method_words
from xconv_bench.report.published import published_layers_peak
from xconv_bench.report.rows import (
    Beside,
    Comparable,
    Row,
    grouped,
    notes_of,
    number,
    reference_in,
    settings_of,
)
from xconv_bench.report.tables.engine import (
    Figure,
    columns_of,
    compared,
    error_figure,
    figure_of,
)
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn
from xconv_bench.report.words import ended, format_measured, format_ratio, known
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.results.schema.advice import ADVICE
from xconv_bench.results.schema.layers import LAYERS

MOST_LAYERS = 10
_PEAK = "layer_peak_bytes"


def layers(rows: Sequence[Row], beside: Beside) -> Printed:
    """Describe the peak of each method, and the layers that hold the most, methods side by side."""
    settings = settings_of(rows, LAYERS.setting_key)
    # Messages are of the step as a whole.
    firsts = [{**row, "layer": ALL_LAYERS} for row in rows if row["position"] == 0]
    notes = notes_of(settings_of(firsts, LAYERS.setting_key))
    return Printed([part for setting in settings for part in _parts(setting)], notes)


def advice(rows: Sequence[Row], beside: Beside) -> Printed:
    """Describe a line for each module, then predicted and measured figures of the whole."""
    return Printed([_planned(setting, beside.plan) for setting in settings_of(rows, ADVICE.key)])


def steps_of(setting: Comparable) -> dict[str, list[Row]]:
    """Return the moments of each method's step, by its name in words."""
    return grouped(setting.rows, method_words)


def above_start(row: Row, column: str) -> float:
    """Return bytes beyond those before the step."""
    return (number(row, column) or 0.0) - (number(row, "start_bytes") or 0.0)


def peak_of(step: Sequence[Row]) -> Row | None:
    """Return the moment by which the most was reached; None where nothing was measured."""
    measured = [row for row in step if number(row, _PEAK) is not None]
    return max(measured, key=lambda row: number(row, _PEAK) or 0.0, default=None)


def held_by(step: Sequence[Row]) -> dict[str, float]:
    """Return the bytes that each layer's forward pass leaves behind, by the layer's name."""
    held: dict[str, float] = {}
    before = above = 0.0
    for row in step:
        above = above_start(row, "layer_bytes")
        if row["phase"] == "forward" and row["layer"] != "loss":
            name = str(row["layer"])
            held[name] = held.get(name, 0.0) + above - before
        before = above
    return held


def _parts(setting: Comparable) -> Iterator[Block]:
    steps = steps_of(setting)
    # A step of which nothing was measured is spoken of by its first moment.
    peaks = {name: peak_of(step) or step[0] for name, step in steps.items()}
    exact = reference_in(peaks.values())
    columns = columns_of(_PEAKS, list(peaks.values()), lambda row: exact)
    yield Block(setting.title, [TextColumn("method", list(peaks), "left")], columns)
    held = {name: held_by(step) for name, step in steps.items() if peak_of(step) is not None}
    if not held:
        return
    first = next(iter(held.values()))
    layers = sorted(first, key=lambda layer: -first[layer])[:MOST_LAYERS]
    yield Block(
        f"the layers that hold the most, by {next(iter(held))}",
        [TextColumn("layer", layers, "left")],
        [
            TextColumn(name, [_bytes(layers_of.get(layer)) for layer in layers], legend=_HOLDS)
            for name, layers_of in held.items()
        ],
    )


def _bytes(held: float | None) -> str:
    if held is None:
        return ""
    return f"-{format_bytes(-held)}" if held < 0 else format_bytes(held)


def _peak(row: Row) -> float | None:
    return number(row, _PEAK)


def _measured(write: Callable[[Row], str]) -> Callable[[Row, Row | None], str]:
    """Return what writes something of a moment; nothing where it was not measured."""
    return lambda row, _: "" if _peak(row) is None else write(row)


_HOLDS = ("holds", "memory that is there behind the layer's forward pass and was not before it")
_PEAKS = (
    Figure("peak", compared(_peak, format_bytes, ended), "the most memory of the step"),
    Figure(
        "above start",
        _measured(lambda row: format_bytes(above_start(row, _PEAK))),
        "the same less what there was before the step: weights, gradients, the batch",
    ),
    Figure(
        "at",
        _measured(lambda row: f"{row['layer']}, {row['phase']}"),
        "the layer before whose end it was reached, and in which pass",
        justify="left",
    ),
    Figure("paper", _measured(lambda row: known(published_layers_peak(row), format_bytes, ""))),
)


def _planned(setting: Comparable, plan: Path | None) -> Block:
    modules = [row for row in setting.rows if row["layer"] != ALL_LAYERS]
    return Block(
        setting.title,
        [TextColumn("module", [str(row["layer"]) for row in modules], "left")],
        columns_of(_PLANNED, modules),
        [*_whole(setting), f"plan: {plan}"],
    )


def _whole(setting: Comparable) -> list[str]:
    row = next((row for row in setting.rows if row["layer"] == ALL_LAYERS), None)
    if row is None:
        return []
    seconds = number(row, "step_seconds")
    lines = [
        f"peak of a step: {_known_bytes(row, 'predicted_peak_bytes')} predicted, "
        f"{_known_bytes(row, 'peak_bytes')} measured",
        f"relative error: {_known_error(row, 'predicted_error')} predicted, "
        f"{_known_error(row, 'relative_error')} measured",
    ]
    if seconds is not None:
        ratio = number(row, "step_ratio")
        words = "" if ratio is None else f", {format_ratio(ratio)} exact"
        lines.append(f"time of a step: {format_seconds(seconds)}{words}")
    return [*lines, *filter(None, [str(row["message"] or "")])]


def _known_bytes(row: Row, column: str) -> str:
    return known(number(row, column), format_bytes)


def _known_error(row: Row, column: str) -> str:
    return known(number(row, column), lambda v: format_measured(v, None) if v else "exact")


_PLANNED: tuple[Figure[Row], ...] = (
    figure_of(ADVICE["setting"]),
    figure_of(ADVICE["saved_bytes"], heading="bytes"),
    figure_of(ADVICE["exact_saved_bytes"]),
    error_figure(
        ADVICE["predicted_error"],
        heading="error",
        meaning="part that it adds to the relative error of the gradient of all weights",
    ),
)
