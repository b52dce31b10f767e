"""The rows of ``training.csv`` as tables for people: final measures, gaps, memory and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO

from xconv_bench.report.published import published_accuracy
from xconv_bench.report.settings import number
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
from xconv_bench.report.training_words import (
    JUDGED,
    SETTING_KEY,
    Trained,
    gaps_in,
    measures_in,
    trained_in,
)
from xconv_bench.report.units import format_bytes, format_ratio, format_seconds
from xconv_bench.report.words import phrases, status_words
from xconv_bench.results.columns import Cell

_PEAKS = ("allocated_peak_bytes", "simulated_peak_bytes")
_MEANINGS = (
    ("gap", "by how much the measure is better than exact's, mean over seeds, paired by seed, ± "
     "half of its 95 % interval (Student's t); below 0 it is worse"),
    ("paper", "the accuracy of arXiv 2106.06998v1 on MNIST, same batch and probes, 20 epochs"),
    ("peak", "memory of a training step without the optimizer, and its ratio to exact"),
    ("epoch", "time of training an epoch, median, and its ratio to exact; other work disturbs it"),
)  # fmt: skip


def print_training_table(rows: Sequence[Row], file: IO[str] | None = None) -> None:
    """Print a line for each method, task by task.

    ``rows`` are as ``Table.rows`` returns them; ``file`` is standard output where None is given.
    """
    console = open_console(file)
    settings = trained_in(rows)
    if not settings:
        console.print("Nothing was measured.")
        return
    for number_, (key, methods) in enumerate(settings.items()):
        columns: dict[str, Cell] = dict(zip(SETTING_KEY, key, strict=True))  # type: ignore[arg-type]
        print_heading(console, setting_words(columns), is_first=number_ == 0)
        identity = Column("method", [method.name for method in methods], "left")
        print_columns(console, [identity], list(_columns(methods)))
        print_notes(console, list(_notes(methods)))
    shown = {"gap", "peak", "epoch"} | ({"paper"} if any(map(published_accuracy, rows)) else set())
    print_legend(console, [meaning for meaning in _MEANINGS if meaning[0] in shown])


def setting_words(columns: dict[str, Cell]) -> str:
    """``classification of digits by net, batch 32, 28 px, 15 epochs, learning rate 0.001``."""
    head = f"{columns['task']} of {columns['data']} by {columns['model']}"
    names = ("batch_size", "image_size", "dtype", "device", "epochs", "learning_rate")
    rest = phrases({name: columns[name] for name in names})
    return f"{head}, {rest}" + (", at equal memory" if columns["equal_memory"] else "")


def _columns(methods: Sequence[Trained]) -> Iterator[Column]:
    exact = next((method for method in methods if method.is_exact), None)
    yield Column("seeds", [str(len(method.finals)) for method in methods])
    if len({row["batch_size"] for method in methods for row in method.rows}) > 1:
        yield Column("batch", [_range(method, "batch_size") for method in methods])
        yield Column("rate", [_range(method, "learning_rate") for method in methods])
    for place, column in enumerate(measures_in([row for m in methods for row in m.rows])):
        yield Column(JUDGED[column], [_measure(method, column) for method in methods])
        if exact is not None and place == 0:
            gaps = gaps_in(methods)
            yield Column("gap", aligned([gaps.get(m.name, "") for m in methods], " ±"))
    published = [_published(method) for method in methods]
    if any(published):
        yield Column("paper", published)
    yield Column("peak", aligned([_peak(method, exact) for method in methods], " ("))
    yield Column("epoch", aligned([_time(method, exact) for method in methods], " ("))


def _measure(method: Trained, column: str) -> str:
    value = method.mean(column)
    if value is not None:
        return f"{value:.4f}"
    last = max(method.rows, key=lambda row: int(row["epoch"] or 0))
    if last["status"] == "ok":  # still under way, or stopped there
        return f"epoch {last['epoch']} of {last['epochs']}"
    return status_words(str(last["status"]))


def _peak(method: Trained, exact: Trained | None) -> str:
    for column in _PEAKS:
        peak = method.mean(column)
        if peak is not None:
            return format_bytes(peak) + _to_exact(
                peak, exact.mean(column) if exact else None, method
            )
    return ""


def _published(method: Trained) -> str:
    value = published_accuracy(method.rows[0])
    return "" if value is None else f"{value:.4f}"


def _time(method: Trained, exact: Trained | None) -> str:
    seconds = method.epoch_seconds()
    if seconds is None:
        return ""
    return format_seconds(seconds) + _to_exact(
        seconds, exact.epoch_seconds() if exact else None, method
    )


def _to_exact(value: float, exact: float | None, method: Trained) -> str:
    return f" ({format_ratio(value / exact)})" if exact and not method.is_exact else ""


def _range(method: Trained, column: str) -> str:
    values = sorted({number(row, column) or 0.0 for row in method.rows})
    words = [f"{value:g}" for value in values]
    return words[0] if len(words) == 1 else f"{words[0]} to {words[-1]}"


def _notes(methods: Sequence[Trained]) -> Iterator[str]:
    if any(len(method.finals) == 1 for method in methods):
        yield "one seed: without others there is no interval"
    for method in methods:
        if method.diverged:
            yield f"{method.name}: {method.diverged} of its seeds diverged"
        said = dict.fromkeys(
            f"{status_words(str(row['status']))}: {row['message']}"
            if row["status"] != "ok"
            else str(row["message"])
            for row in method.rows
            if row["message"] or row["status"] not in ("ok", "diverged")
        )
        for message in said:
            yield f"{method.name}: {message}"
