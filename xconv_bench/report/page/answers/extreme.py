"""The method with the best figure of a table, where memory is not in it."""

from __future__ import annotations

from xconv_bench.report.page.answers.answer import Answer, exact_of
from xconv_bench.report.page.kinds import candidates, name_of
from xconv_bench.report.settings import Comparable, number
from xconv_bench.report.summary import Row
from xconv_bench.report.words import format_ratio
from xconv_bench.results.schema.age import AGE
from xconv_bench.results.schema.runtime import RUNTIME


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
