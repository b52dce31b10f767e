"""The method that needs the least memory among those whose gradient is good enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from xconv_bench.amounts import bytes_scale
from xconv_bench.report.page.answers import (
    MOST_LISTED,
    Answer,
    error_words,
    exact_of,
    listed,
    named,
    percent,
    ratio_of,
)
from xconv_bench.report.page.figures import name_of
from xconv_bench.report.rows import Comparable, Row, is_reference, number
from xconv_bench.report.words import format_ratio
from xconv_bench.results.schema import Schema
from xconv_bench.results.schema.shared import CPU_WAIT, FLOOR

_TOO_LARGE = 1.0
"""An error as large as the gradient, or a variance as large as that of minibatches."""
_DISTURBED = 0.1
"""The part of a step that threads waited for a core, from which on its time says little."""
_NEAR = 1.02
"""Memory within two percent of the least is as good: the error decides."""
_HELD, _KEPT = "the memory of exact", "what exact keeps for the backward pass"


@dataclass(frozen=True)
class Criteria:
    """The columns of a table that an answer is made from, and words for them.

    ``memory`` are columns, of which the first that has figures is taken. ``error`` is the column
    of what is to be small, empty where a table has none; ``words`` says it, and ``limit`` what is
    small enough.
    """

    memory: tuple[str, ...]
    words: Callable[[Schema, str, Row], str]
    error: str = ""
    limit: str = "an error below the gradient itself"
    time: str = ""


def gradient_error(schema: Schema, column: str, row: Row) -> str:
    """Return ``gradient error 1.5 %``."""
    floor = number(row, FLOOR.name) if FLOOR.name in row else None
    words = error_words(schema[column], number(row, column) or 0.0, floor)
    return f"{words} and biased" if row.get("bias_verdict") == "biased" else words


def added_variance(schema: Schema, column: str, row: Row) -> str:
    """Return ``2.1 % added to the variance of minibatches``."""
    ratio = number(row, column) or 0.0
    added = percent(ratio) if ratio < _TOO_LARGE else format_ratio(ratio)
    return f"{added} added to the variance of minibatches" if ratio else "no variance added"


@dataclass(frozen=True)
class _Candidate:
    row: Row
    bytes: float
    ratio: float | None
    error: float | None
    time: float | None
    is_disturbed: bool

    @property
    def is_usable(self) -> bool:
        return self.error is not None and self.error < _TOO_LARGE

    @property
    def order(self) -> tuple[float, float, float]:
        return self.bytes, self.error or 0.0, inf if self.time is None else self.time


def answer(schema: Schema, criteria: Criteria, setting: Comparable) -> Answer | None:
    """Return the answer; None where nothing but exact was measured."""
    exact = exact_of(setting.rows)
    memory = next((c for c in criteria.memory if any(number(r, c) for r in setting.rows)), None)
    rows = [row for row in setting.rows if memory and _can_be_taken(row, memory)]
    if memory is None or not rows:
        return None
    costs = [_cost(schema, criteria, memory, row, exact) for row in rows]
    whole = None if exact is None else number(exact, memory)
    knows_errors = any(cost.error is not None for cost in costs)
    pool = [cost for cost in costs if cost.is_usable or not knows_errors]
    saving = [cost for cost in pool if cost.ratio is None or cost.ratio < 1]
    said = _Words(schema, criteria, whole, _KEPT if memory == "saved_bytes" else _HELD)
    if not saving:
        return Answer("", said.nothing(costs, bool(pool)), _unknown(criteria, costs))
    most_bytes = _NEAR * min(cost.bytes for cost in saving)
    near = [cost for cost in saving if cost.bytes <= most_bytes]
    best = min(near, key=lambda cost: (cost.error or 0.0, *cost.order))
    return Answer(name_of(best.row), said.of(best), [*said.others(best, costs, saving)])


def _can_be_taken(row: Row, memory: str) -> bool:
    return row["status"] == "ok" and not is_reference(row) and bool(number(row, memory))


def _cost(
    schema: Schema, criteria: Criteria, memory: str, row: Row, exact: Row | None
) -> _Candidate:
    error = number(row, criteria.error) if criteria.error else None
    timed = [each for each in (row, exact) if each is not None and criteria.time]
    waits = [value for r in timed if isinstance(value := r.get(CPU_WAIT.name), int | float)]
    return _Candidate(
        row,
        number(row, memory) or 0.0,
        ratio_of(schema[memory], row, exact),
        error if error is not None and isfinite(error) else None,
        ratio_of(schema[criteria.time], row, exact) if criteria.time else None,
        max(waits, default=0) >= _DISTURBED,
    )


@dataclass(frozen=True)
class _Words:
    schema: Schema
    criteria: Criteria
    exact_bytes: float | None
    of_exact: str

    def of(self, cost: _Candidate) -> str:
        """Return all that is known of a method."""
        scale = bytes_scale(max(cost.bytes, self.exact_bytes or 0))
        if cost.ratio is None or self.exact_bytes is None:
            memory = scale.format(cost.bytes)
        else:
            both = f"{scale.format(cost.bytes)} of {scale.format(self.exact_bytes)}"
            memory = f"{format_ratio(cost.ratio)} {self.of_exact} ({both})"
        return ", ".join([memory, *self._rest(cost)])

    def short(self, cost: _Candidate) -> str:
        """Return a method with its memory, error and time in brackets."""
        scale = bytes_scale(cost.bytes)
        memory = scale.format(cost.bytes) if cost.ratio is None else format_ratio(cost.ratio)
        return f"{name_of(cost.row)} ({', '.join([memory, *self._rest(cost)])})"

    def _rest(self, cost: _Candidate) -> list[str]:
        words = []
        if cost.error is not None:
            words.append(self.criteria.words(self.schema, self.criteria.error, cost.row))
        if cost.time is not None:
            disturbed = " (disturbed by other work)" if cost.is_disturbed else ""
            words.append(f"{format_ratio(cost.time)} the time{disturbed}")
        return words

    def nothing(self, costs: Sequence[_Candidate], has_usable: bool) -> str:
        """Return that no method is worth its price, and the one that comes nearest."""
        if has_usable:
            least = min((c for c in costs if c.is_usable or c.error is None), key=lambda c: c.order)
            limit = f" with {self.criteria.limit}" if least.error is not None else ""
            return (
                f"no method measured{limit} needs less than exact; the least is {self.short(least)}"
            )
        least = min(costs, key=lambda cost: (inf if cost.error is None else cost.error, cost.bytes))
        return f"no method measured has {self.criteria.limit}; nearest is {self.short(least)}"

    def others(
        self, best: _Candidate, costs: Sequence[_Candidate], saving: Sequence[_Candidate]
    ) -> list[str]:
        """Return sentences on the methods beside the best."""
        most_bytes = best.bytes if best.error is None else _NEAR * best.bytes
        rest = sorted((c for c in saving if c.bytes > most_bytes), key=lambda cost: cost.order)
        worse = [cost for cost in costs if cost.error is not None and not cost.is_usable]
        less = sorted((c for c in worse if c.bytes < best.bytes), key=lambda cost: cost.order)
        better, fastest = _front(best, rest), _fastest(best, saving)
        ties = [cost.row for cost in saving if cost is not best and cost.order == best.order]
        sentences = [f"The same holds for {named(ties)}."] if ties else []
        if less:
            sentences.append(
                f"With less memory, but not {self.criteria.limit}: {listed(map(self.short, less))}."
            )
        if better:
            sentences.append(f"Better for more memory: {listed(map(self.short, better))}.")
        elif rest:
            sentences.append(f"The next is {self.short(rest[0])}.")
        elif len(costs) == 1:
            sentences.append("No other method was measured beside exact.")
        if fastest is not None and fastest not in (better[:MOST_LISTED] or rest[:1]):
            sentences.append(f"Fastest of those that save memory: {self.short(fastest)}.")
        return [*sentences, *_unknown(self.criteria, costs)]


def _fastest(best: _Candidate, saving: Sequence[_Candidate]) -> _Candidate | None:
    """Return the fastest, if it is faster than the best."""
    timed = [cost for cost in saving if cost.time is not None and not cost.is_disturbed]
    found = min(timed, key=lambda cost: cost.time or inf, default=None)
    is_faster = found is not None and best.time is not None and (found.time or inf) < best.time
    return found if is_faster else None


def _front(best: _Candidate, rest: Sequence[_Candidate]) -> list[_Candidate]:
    """Return the methods that have a smaller error than all that need less memory."""
    front: list[_Candidate] = []
    error = best.error
    for cost in rest:
        if error is not None and cost.error is not None and cost.error < error:
            front.append(cost)
            error = cost.error
    return front


def _unknown(criteria: Criteria, costs: Sequence[_Candidate]) -> list[str]:
    """Return sentences on what was not measured."""
    sentences = []
    if all(cost.ratio is None for cost in costs):
        sentences.append("There is no figure of exact to compare with.")
    without = [cost.row for cost in costs if cost.error is None]
    no_time = all(cost.time is None for cost in costs)
    if len(without) == len(costs):
        what = "Neither gradient errors nor times were" if no_time else "Gradient errors were not"
        return [*sentences, f"{what} measured here."]
    if no_time:
        sentences.append("Times were not measured here.")
    if without:
        sentences.append(f"The error is not known of {named(without)}.")
    return sentences
