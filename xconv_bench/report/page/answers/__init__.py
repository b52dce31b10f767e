"""The tables that answer which method to take, one file a kind of answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from xconv_bench.report.page.answers import least_memory, one_figure, training
from xconv_bench.report.page.answers.answer import Answer
from xconv_bench.report.page.answers.least_memory import Criteria, added_variance, gradient_error
from xconv_bench.report.page.figures import condensed
from xconv_bench.report.settings import Comparable
from xconv_bench.report.summary import Row
from xconv_bench.report.training_words import trained_in
from xconv_bench.results.schema import TABLES
from xconv_bench.results.schema.shared import PEAKS

InSetting = Callable[[Comparable], Answer | None]
"""From a setting to its answer; None where there is nothing to compare."""


def _least_memory(table: str, criteria: Criteria) -> InSetting:
    return lambda setting: least_memory.answer(TABLES[table], criteria, setting)


_IN_SETTING: Mapping[str, InSetting] = {
    "advice": one_figure.plan,
    "frontier": _least_memory(
        "frontier",
        Criteria(("peak_bytes",), gradient_error, "relative_error", time="step_seconds"),
    ),
    "memory": _least_memory(
        "memory",
        Criteria(
            (*PEAKS, "saved_bytes"), gradient_error, "gradient_relative_error", time="step_seconds"
        ),
    ),
    "max_batch": one_figure.largest_batch,
    "error": _least_memory("error", Criteria(("saved_bytes",), gradient_error, "relative_error")),
    "age": one_figure.least_error,
    "variance": _least_memory(
        "variance",
        Criteria(
            ("saved_bytes",),
            added_variance,
            "variance_ratio",
            limit="less variance than minibatches have",
        ),
    ),
    "runtime": one_figure.fastest,
    "layers": _least_memory("layers", Criteria(("layer_peak_bytes",), gradient_error)),
}
_TRAINING = "training"
ANSWERING = (
    "advice", "frontier", "memory", "max_batch", _TRAINING, "error", "age", "variance", "runtime",
    "layers",
)  # fmt: skip
"""The tables that answer, the one that says most first."""


def answers(table: str, rows: Sequence[Row]) -> Iterator[tuple[Comparable, Answer | None]]:
    """Yield the settings of a table with their answers."""
    settings = condensed(TABLES[table], rows)
    if table == _TRAINING:  # its answer needs every seed
        yield from zip(settings, map(training.answer, trained_in(rows)), strict=True)
        return
    for setting in settings:
        yield setting, _IN_SETTING[table](setting)
