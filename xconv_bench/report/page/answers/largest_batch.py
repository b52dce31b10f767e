"""The method that fits the largest batch into the memory."""

from __future__ import annotations

from xconv_bench.report.page.answers.answer import Answer, exact_of, named
from xconv_bench.report.page.kinds import candidates, name_of
from xconv_bench.report.settings import Comparable, is_reference, number
from xconv_bench.report.summary import Row
from xconv_bench.report.words import format_ratio
from xconv_bench.results.schema.max_batch import MAX_BATCH

_SIZE = "max_batch_size"
_LIMITS = {
    "max": "no larger batch was tried, which may fit as well",
    "elements": "a larger batch has a tensor of more than 2³¹ elements",
    "network": "the network takes no larger batch",
}
"""Words for what limits a batch where this is not the memory."""
_MISSING = "Neither gradient errors nor times were measured here."


def answer(setting: Comparable) -> Answer | None:
    """Return the answer; None where nothing but exact was measured."""
    rows = sorted(candidates(MAX_BATCH, setting.rows, _SIZE), key=_size, reverse=True)
    if not rows:
        return None
    best, exact = rows[0], exact_of(setting.rows)
    equal = [row for row in rows[1:] if _size(row) == _size(best)]
    if exact is not None and _size(best) <= _size(exact):
        words = f"no method fits a larger batch than exact, which fits {_size(exact):,}"
        return Answer("", words, [_MISSING])
    words = f"a batch of {_size(best):,}{_beside(best, exact, setting)}"
    if reason := _LIMITS.get(str(best["limited_by"])):
        words = f"{words}; {reason}"
    remarks = []
    if equal:
        remarks.append(f"As large a batch fits with {named(equal)}.")
    elif len(rows) > 1:
        remarks.append(f"The next fits {_size(rows[1]):,}: {name_of(rows[1])}.")
    return Answer(name_of(best), words, [*remarks, _MISSING])


def _size(row: Row) -> float:
    return number(row, _SIZE) or 0


def _beside(best: Row, exact: Row | None, setting: Comparable) -> str:
    if exact is not None and _size(exact):
        return f", {format_ratio(_size(best) / _size(exact))} the {_size(exact):,} of exact"
    has_failed = any(is_reference(row) and row["status"] == "oom" for row in setting.rows)
    return ", where exact does not fit at all" if has_failed else ""
