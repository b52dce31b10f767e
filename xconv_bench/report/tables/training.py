"""The rows of ``training.csv`` as tables for people: final measures, gaps, memory and time."""

from collections.abc import Iterator, Sequence

from xconv_bench.amounts import format_bytes, format_seconds
from xconv_bench.report.published import published_accuracy
from xconv_bench.report.settings import Beside, number
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.engine import Figure, columns_of, in_brackets, ratio_to
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn
from xconv_bench.report.training_words import (
    SETTING_KEY,
    Trained,
    gaps_in,
    measures_in,
    trained_in,
)
from xconv_bench.report.words import ended, phrases
from xconv_bench.results.schema import Cell
from xconv_bench.results.schema.shared import PEAKS
from xconv_bench.results.schema.training import GAP, TRAINING


def training(rows: Sequence[Row], beside: Beside) -> Printed:
    """Describe a line for each method, task by task."""
    return Printed([_part(key, methods) for key, methods in trained_in(rows).items()])


def setting_words(columns: dict[str, Cell]) -> str:
    """Return ``classification of digits by net, batch 32, 28 px, 15 epochs``, and so on."""
    head = f"{columns['task']} of {columns['data']} by {columns['model']}"
    names = ("batch_size", "image_size", "dtype", "device", "epochs", "learning_rate")
    rest = phrases({name: columns[name] for name in names})
    return f"{head}, {rest}" + (", at equal memory" if columns["equal_memory"] else "")


def _part(key: tuple[object, ...], methods: Sequence[Trained]) -> Block:
    columns: dict[str, Cell] = dict(zip(SETTING_KEY, key, strict=True))  # type: ignore[arg-type]
    exact = next((method for method in methods if method.is_exact), None)
    return Block(
        setting_words(columns),
        [TextColumn("method", [method.name for method in methods], "left")],
        columns_of(_figures(methods), methods, lambda method: exact),
        list(_notes(methods)),
    )


def _figures(methods: Sequence[Trained]) -> Iterator[Figure[Trained]]:
    rows = [row for method in methods for row in method.rows]
    yield Figure("seeds", lambda method, _: str(len(method.finals)))
    if len({row["batch_size"] for row in rows}) > 1:
        yield Figure("batch", lambda method, _: _range(method, "batch_size"))
        yield Figure("rate", lambda method, _: _range(method, "learning_rate"))
    gaps = gaps_in(methods)
    for place, column in enumerate(measures_in(rows)):
        yield _measure(column)
        if place == 0:
            yield Figure("gap", lambda method, _: gaps.get(method.name, ""), GAP.meaning, mark=" ±")
    yield Figure("paper", _published, _PAPER)
    yield Figure("peak", _peak, "memory of a training step without the optimizer")
    yield Figure("epoch", _time, _EPOCH)


def _measure(column: str) -> Figure[Trained]:
    def words(method: Trained, _: Trained | None) -> str:
        value = method.mean(column)
        if value is not None:
            return f"{value:.4f}"
        last = max(method.rows, key=lambda row: int(row["epoch"] or 0))
        if last["status"] == "ok":  # still under way, or stopped there
            return f"epoch {last['epoch']} of {last['epochs']}"
        return ended(last)

    return Figure(TRAINING[column].heading, words)


def _peak(method: Trained, exact: Trained | None) -> str:
    for column in PEAKS:
        peak = method.mean(column) if column in TRAINING.names else None
        if peak is not None:
            whole = None if exact is None else exact.mean(column)
            return format_bytes(peak) + in_brackets(ratio_to(peak, whole))
    return ""


def _published(method: Trained, _: Trained | None) -> str:
    value = published_accuracy(method.rows[0])
    return "" if value is None else f"{value:.4f}"


def _time(method: Trained, exact: Trained | None) -> str:
    seconds = method.epoch_seconds()
    if seconds is None:
        return ""
    whole = None if exact is None else exact.epoch_seconds()
    return format_seconds(seconds) + in_brackets(ratio_to(seconds, whole))


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
            f"{ended(row)}: {row['message']}" if row["status"] != "ok" else str(row["message"])
            for row in method.rows
            if row["message"] or row["status"] not in ("ok", "diverged")
        )
        for message in said:
            yield f"{method.name}: {message}"


_PAPER = "the accuracy of arXiv 2106.06998v1 on MNIST, same batch and probes, 20 epochs"
_EPOCH = "time of training an epoch, median; other work on the machine disturbs it"
