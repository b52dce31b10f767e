"""The rows of ``training.csv`` as tables for people: final measures, gaps, memory and time."""

from collections.abc import Iterator, Sequence

from xconv_bench.amounts import format_bytes, format_seconds
from xconv_bench.report.disturbed import disturbances, undisturbed
from xconv_bench.report.published import published_accuracy
from xconv_bench.report.rows import Beside, Row, number
from xconv_bench.report.tables.engine import Figure, columns_of, compared
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn
from xconv_bench.report.training_words import Trained, TrainedSetting, measures_in, trained_in
from xconv_bench.report.words import ended
from xconv_bench.results.schema.shared import PEAKS
from xconv_bench.results.schema.training import GAP, TRAINING


def training(rows: Sequence[Row], beside: Beside) -> Printed:
    """Describe a line for each method, task by task."""
    return Printed([_part(setting) for setting in trained_in(rows)])


def _part(setting: TrainedSetting) -> Block:
    methods, exact = setting.methods, setting.exact
    return Block(
        setting.title,
        [TextColumn("method", [method.name for method in methods], "left")],
        columns_of(_figures(setting), methods, lambda method: exact),
        list(_notes(methods)),
    )


def _figures(setting: TrainedSetting) -> Iterator[Figure[Trained]]:
    yield Figure("seeds", lambda method, _: str(len(method.finals)))
    if len({row["batch_size"] for row in setting.rows}) > 1:
        yield Figure("batch", lambda method, _: _range(method, "batch_size"))
        yield Figure("rate", lambda method, _: _range(method, "learning_rate"))
    gaps = setting.gaps()
    for place, column in enumerate(measures_in(setting.rows)):
        yield _measure(column)
        if place == 0:
            yield Figure("gap", lambda method, _: gaps.get(method.name, ""), GAP.meaning, mark=" ±")
    yield Figure("paper", _published, _PAPER)
    peak = compared(_peak, format_bytes)
    yield Figure("peak", peak, "memory of a training step without the optimizer")
    yield Figure("epoch", compared(Trained.epoch_seconds, format_seconds), _EPOCH)


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


def _peak(method: Trained) -> float | None:
    peaks = (method.mean(column) for column in PEAKS if column in TRAINING.names)
    return next((peak for peak in peaks if peak is not None), None)


def _published(method: Trained, _: Trained | None) -> str:
    value = published_accuracy(method.rows[0])
    return "" if value is None else f"{value:.4f}"


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
        told = [(row, undisturbed(row["message"])) for row in method.rows]
        said = dict.fromkeys(
            message if row["status"] == "ok" else f"{ended(row)}: {message}"
            for row, message in told
            if message or row["status"] not in ("ok", "diverged")
        )
        for message in said:
            yield f"{method.name}: {message}"
    yield from disturbances(
        {method.name: [row["message"] for row in method.rows] for method in methods}
    )


_PAPER = "the accuracy of arXiv 2106.06998v1 on MNIST, same batch and probes, 20 epochs"
_EPOCH = "time of training an epoch, median; other work on the machine disturbs it"
