"""Answers from one figure: the largest batch, the least time or error, the worth of a plan."""

from __future__ import annotations

from xconv_bench.amounts import format_bytes
from xconv_bench.report.page.answers import Answer, error_words, exact_of, named, percent
from xconv_bench.report.page.figures import candidates, name_of
from xconv_bench.report.rows import Comparable, Row, is_reference, number
from xconv_bench.report.words import format_budget, format_ratio
from xconv_bench.results.schema.advice import ADVICE
from xconv_bench.results.schema.age import AGE
from xconv_bench.results.schema.max_batch import MAX_BATCH
from xconv_bench.results.schema.runtime import RUNTIME
from xconv_bench.results.statuses import MEASURED_STATUSES

_SIZE = "max_batch_size"
_LIMITS = {
    "max": "no larger batch was tried, which may fit as well",
    "elements": "a larger batch has a tensor of more than 2³¹ elements",
    "network": "the network takes no larger batch",
}
"""Words for what limits a batch where this is not the memory."""


def largest_batch(setting: Comparable) -> Answer | None:
    """Return the answer; None where nothing but exact was measured."""
    rows = sorted(candidates(MAX_BATCH, setting.rows, _SIZE), key=_size, reverse=True)
    if not rows:
        return None
    missing = "Neither gradient errors nor times were measured here."
    best, exact = rows[0], exact_of(setting.rows)
    equal = [row for row in rows[1:] if _size(row) == _size(best)]
    if exact is not None and _size(best) <= _size(exact):
        words = f"no method fits a larger batch than exact, which fits {_size(exact):,}"
        return Answer("", words, [missing])
    words = f"a batch of {_size(best):,}{_beside(best, exact, setting)}"
    if reason := _LIMITS.get(str(best["limited_by"])):
        words = f"{words}; {reason}"
    remarks = []
    if equal:
        remarks.append(f"As large a batch fits with {named(equal)}.")
    elif len(rows) > 1:
        remarks.append(f"The next fits {_size(rows[1]):,}: {name_of(rows[1])}.")
    return Answer(name_of(best), words, [*remarks, missing])


def _size(row: Row) -> float:
    return number(row, _SIZE) or 0


def _beside(best: Row, exact: Row | None, setting: Comparable) -> str:
    if exact is not None and _size(exact):
        return f", {format_ratio(_size(best) / _size(exact))} the {_size(exact):,} of exact"
    has_failed = any(is_reference(row) and row["status"] == "oom" for row in setting.rows)
    return ", where exact does not fit at all" if has_failed else ""


def fastest(setting: Comparable) -> Answer | None:
    """Return the fastest method; None where nothing was compared with exact."""
    rows = sorted(candidates(RUNTIME, setting.rows, "step_ratio"), key=_time)
    if not rows:
        return None
    best = rows[0]
    low, high = number(best, "step_ratio_low"), number(best, "step_ratio_high")
    known = f" ({format_ratio(low)} to {format_ratio(high)})" if low and high else ""
    words = f"{format_ratio(_time(best))} the time of exact{known}"
    missing = "Neither memory nor gradient errors were measured here."
    if (high or _time(best)) >= 1:
        chance = " beyond chance" if (low or _time(best)) < 1 else ""
        nearest = f"nearest is {name_of(best)}, {words}"
        return Answer("", f"no method is faster than exact{chance}; {nearest}", [missing])
    following = [f"The next takes {format_ratio(_time(r))}: {name_of(r)}." for r in rows[1:2]]
    return Answer(name_of(best), words, [*following, missing])


def least_error(setting: Comparable) -> Answer | None:
    """Return the method with the least average gradient error; None where none was measured."""
    column = "average_gradient_error"
    rows = candidates(AGE, setting.rows, column)
    exact = exact_of(setting.rows)
    if not rows:
        return None
    best = min(rows, key=lambda row: number(row, column) or 0.0)
    floor = number(exact, column) if exact else number(best, f"exact_{column}")
    least = number(best, column) or 0.0
    if not floor:
        return Answer(name_of(best), f"an average gradient error of {least:.3g}")
    ratio = format_ratio(least / floor)
    missing = "Neither memory nor times were measured here."
    return Answer(name_of(best), f"{ratio} the average gradient error of exact", [missing])


def _time(row: Row) -> float:
    return number(row, "step_ratio") or 0.0


def plan(setting: Comparable) -> Answer | None:
    """Return the answer; None where the plan was not measured."""
    rows = [row for row in setting.rows if row["status"] in MEASURED_STATUSES]
    if not rows:
        return None
    row = rows[0]
    parts = [*_peak_of_plan(row), *_error_of_plan(row)]
    return Answer("the plan", ", ".join(parts)) if parts else None


def _peak_of_plan(row: Row) -> list[str]:
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


def _error_of_plan(row: Row) -> list[str]:
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
