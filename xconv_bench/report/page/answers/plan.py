"""The worth of a plan: whether it keeps to the memory or the error that it is for."""

from __future__ import annotations

from xconv_bench.amounts import format_bytes
from xconv_bench.report.page.answers.answer import Answer, error_words, percent
from xconv_bench.report.settings import Comparable, number
from xconv_bench.report.summary import Row
from xconv_bench.report.words import format_budget
from xconv_bench.results.schema.advice import ADVICE
from xconv_bench.results.statuses import MEASURED_STATUSES


def answer(setting: Comparable) -> Answer | None:
    """Return the answer; None where the plan was not measured."""
    rows = [row for row in setting.rows if row["status"] in MEASURED_STATUSES]
    if not rows:
        return None
    row = rows[0]
    parts = [*_memory(row), *_error(row)]
    return Answer("the plan", ", ".join(parts)) if parts else None


def _memory(row: Row) -> list[str]:
    measured, predicted = number(row, "peak_bytes"), number(row, "predicted_peak_bytes")
    peak = measured if measured is not None else predicted
    if peak is None:
        return []
    how = "measured" if measured is not None else "predicted, not measured"
    budget = row["memory_budget_bytes"]
    if not isinstance(budget, int):
        return [f"a peak of {format_bytes(peak)} ({how})"]
    keeps = "within" if peak <= budget else "beyond"
    return [f"a peak of {format_bytes(peak)} ({how}), {keeps} the {format_budget(budget)} allowed"]


def _error(row: Row) -> list[str]:
    measured, predicted = number(row, "relative_error"), number(row, "predicted_error")
    error = measured if measured is not None else predicted
    if error is None:
        return []
    column = ADVICE["relative_error"]
    words = error_words(column, error)
    if measured is None:
        words = f"{words} (predicted, not measured)"
    target = number(row, "target_error")
    if target is None:
        return [words]
    return [f"{words}, {'within' if error <= target else 'beyond'} the {percent(target)} allowed"]
