"""The verdict on a run: which method to take, in words that its rows bear out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from xconv_bench.configuration import SIMULATED
from xconv_bench.naming import whole_model_words
from xconv_bench.report.page.answers import Answer, least_memory, one_figure, training
from xconv_bench.report.page.answers.least_memory import Criteria, added_variance, gradient_error
from xconv_bench.report.page.figures import condensed, statuses
from xconv_bench.report.rows import Comparable, Row, is_reference
from xconv_bench.report.training_words import trained_in
from xconv_bench.report.words import format_budget
from xconv_bench.results.recorded import RecordedRun
from xconv_bench.results.schema import TABLES, Cell, Schema
from xconv_bench.results.schema.shared import PEAKS
from xconv_bench.results.statuses import DOUBTFUL, MEASURED_STATUSES

MOST_VERDICTS = 6
"""Settings of a run that a verdict speaks of."""
_SHAPE = ("model", "batch_size", "image_size", "dtype")
_SAID_BY = {
    "frontier": ("memory", "error", "runtime", "layers"),
    "memory": ("layers",),
}
"""Tables that say no more of a network and batch than another one does."""

_LEAST_MEMORY: Mapping[str, Criteria] = {
    "frontier": Criteria(("peak_bytes",), gradient_error, "relative_error", time="step_seconds"),
    "memory": Criteria(
        (*PEAKS, "saved_bytes"), gradient_error, "gradient_relative_error", time="step_seconds"
    ),
    "error": Criteria(("saved_bytes",), gradient_error, "relative_error"),
    "variance": Criteria(
        ("saved_bytes",),
        added_variance,
        "variance_ratio",
        limit="less variance than minibatches have",
    ),
    "layers": Criteria(("layer_peak_bytes",), gradient_error),
}
_ONE_FIGURE: Mapping[str, Callable[[Comparable], Answer | None]] = {
    "advice": one_figure.plan,
    "max_batch": one_figure.largest_batch,
    "age": one_figure.least_error,
    "runtime": one_figure.fastest,
}
_TRAINING = "training"
_ANSWERING = (
    "advice", "frontier", "memory", "max_batch", _TRAINING, "error", "age", "variance", "runtime",
    "layers",
)  # fmt: skip
"""The tables that answer, the one that says most first."""


@dataclass(frozen=True)
class Judgement:
    """The answer of a table in a setting, which ``title`` names."""

    table: Schema
    title: str
    answer: Answer


@dataclass(frozen=True)
class RunVerdict:
    """The verdicts on a run, most telling first; ``more`` settings are not spoken of."""

    run: str
    verdicts: list[Judgement]
    more: int


def verdict_of(run: RecordedRun) -> RunVerdict:
    """Return the verdict on a run; it is empty where no table says how good a method is."""
    found = list(_found(run))
    telling = [each for each in found if each.answer.method]
    ordered = [*telling, *(each for each in found if not each.answer.method)]
    shown = ordered[:MOST_VERDICTS]
    return RunVerdict(run.name, shown, len(ordered) - len(shown))


def _found(run: RecordedRun) -> Iterator[Judgement]:
    said: set[tuple[str, tuple[Cell, ...]]] = set()
    for table in _ANSWERING:
        if table not in run.tables:
            continue
        settings = list(_answers(table, run.tables[table].rows))
        subjects = [_subject(setting.rows[0]) for setting, _ in settings]
        for (setting, answer), subject in zip(settings, subjects, strict=True):
            shape = tuple(setting.rows[0].get(name) for name in _SHAPE)
            if (table, shape) in said:
                continue
            if answer is not None:
                said |= {(other, shape) for other in _SAID_BY.get(table, ())}
            title = subject if subjects.count(subject) == 1 else setting.title
            yield Judgement(TABLES[table], title, _with_failures(setting, answer))


def _answers(table: str, rows: Sequence[Row]) -> Iterator[tuple[Comparable, Answer | None]]:
    """Yield the settings of a table with their answers."""
    settings = condensed(TABLES[table], rows)
    if table == _TRAINING:  # its answer needs every seed
        yield from zip(settings, map(training.answer, trained_in(rows)), strict=True)
        return
    for setting in settings:
        if table in _LEAST_MEMORY:
            yield setting, least_memory.answer(TABLES[table], _LEAST_MEMORY[table], setting)
        else:
            yield setting, _ONE_FIGURE[table](setting)


def _with_failures(setting: Comparable, answer: Answer | None) -> Answer:
    """Return the answer with a sentence on what could not be measured."""
    rows = setting.rows
    failed = [row for row in rows if row["status"] not in MEASURED_STATUSES]
    doubtful = [row for row in rows if row["status"] == DOUBTFUL]
    if answer is None:
        return Answer("", _nothing(rows, failed, doubtful))
    sentences = []
    if failed:
        sentences.append(f"Not measured: {statuses(failed)} of {len(rows)}.")
    if doubtful:
        sentences.append(
            f"Left out: {len(doubtful)} of {len(rows)}, whose simulation differs from a real step."
        )
    return Answer(answer.method, answer.words, [*answer.remarks, *sentences])


def _nothing(rows: Sequence[Row], failed: Sequence[Row], doubtful: Sequence[Row]) -> str:
    if len(failed) == len(rows):
        reason = next((f": {row['message']}" for row in failed if row["message"]), "")
        return f"nothing was measured ({statuses(failed)}){reason}"
    if doubtful:
        return f"nothing is beyond doubt ({statuses(rows)})"
    measured = [row for row in rows if row["status"] in MEASURED_STATUSES]
    if all(map(is_reference, measured)):
        beside = f" ({statuses(failed)})" if failed else ""
        return f"only exact was measured, nothing beside it{beside}"
    return "nothing was measured that could be compared"


def _subject(row: Row) -> str:
    """Return ``resnet50 at batch 32, 224 px in 8 GiB``, as short as it tells what was measured."""
    parts = [whole_model_words(str(row["model"]))]
    if task := row.get("task"):
        parts[0] = f"{task} with {parts[0]}"
    sizes = {"batch_size": "batch {}", "image_size": "{} px"}
    said = [text.format(row[name]) for name, text in sizes.items() if row.get(name) is not None]
    if said:
        parts[0] = f"{parts[0]} at {', '.join(said)}"
    if isinstance(budget := row.get("memory_budget_bytes"), int):
        parts[0] = f"{parts[0]} in {format_budget(budget)}"
    if row["dtype"] not in ("float32", None):
        parts.append(str(row["dtype"]))
    device = str(row["device"] or "")
    if device:
        parts.append(device if device == SIMULATED else f"on {device}")
    return ", ".join(parts)
