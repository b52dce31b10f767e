"""The tables that answer which method to take, one file a kind of answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from xconv_bench.report.page.answers import extreme, largest_batch, least_memory, plan, training
from xconv_bench.report.page.answers.answer import Answer
from xconv_bench.report.page.answers.least_memory import Measure, added_variance, gradient_error
from xconv_bench.report.page.kinds import condensed
from xconv_bench.report.settings import Comparable
from xconv_bench.report.summary import Row
from xconv_bench.report.training_words import trained_in
from xconv_bench.results.schema import TABLES
from xconv_bench.results.schema.shared import PEAKS

Answers = Iterator[tuple[Comparable, Answer | None]]
"""The settings of a table, and the answer in each; None where it has nothing to compare."""

_MEASURES = {
    "frontier": Measure(("peak_bytes",), gradient_error, "relative_error", time="step_seconds"),
    "memory": Measure(
        (*PEAKS, "saved_bytes"), gradient_error, "gradient_relative_error", time="step_seconds"
    ),
    "error": Measure(("saved_bytes",), gradient_error, "relative_error"),
    "variance": Measure(
        ("saved_bytes",), added_variance, "variance_ratio", "less variance than minibatches have"
    ),
    "layers": Measure(("layer_peak_bytes",), gradient_error),
}
"""Tables in which the least memory is the answer, as far as the gradient is good enough."""


def _least_memory(table: str) -> Callable[[Comparable], Answer | None]:
    return lambda setting: least_memory.answer(TABLES[table], _MEASURES[table], setting)


_IN_SETTING: Mapping[str, Callable[[Comparable], Answer | None]] = {
    "advice": plan.answer,
    "frontier": _least_memory("frontier"),
    "memory": _least_memory("memory"),
    "max_batch": largest_batch.answer,
    "training": lambda _: None,
    "error": _least_memory("error"),
    "age": extreme.nearest,
    "variance": _least_memory("variance"),
    "runtime": extreme.fastest,
    "layers": _least_memory("layers"),
}
"""What answers in a setting of a table; tables that say most come first."""
ANSWERING = tuple(_IN_SETTING)
"""The tables that answer, the one that says most first."""


def answers(table: str, rows: Sequence[Row]) -> Answers:
    """Yield the settings of a table with their answers."""
    settings = condensed(TABLES[table], rows)
    if table == "training":
        found = map(training.answer, trained_in(rows).values())
        yield from zip(settings, found, strict=True)
        return
    for setting in settings:
        yield setting, _IN_SETTING[table](setting)
