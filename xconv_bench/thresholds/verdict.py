"""Limits applied to the rows of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import suggest
from xconv_bench.knobs import KNOBS
from xconv_bench.results.schema import ALL_LAYERS, TABLES, Cell
from xconv_bench.results.statuses import DOUBTFUL
from xconv_bench.results.table import Row
from xconv_bench.thresholds.baseline import Baseline, why_not_comparable
from xconv_bench.thresholds.limit import Limit

_STANDARD_ERRORS = 3


@dataclass(frozen=True)
class Verdict:
    """The outcome of a limit for a row, or for the lack of one.

    ``outcome`` is ``pass``, ``fail`` or ``skip``. ``bound`` is the limit in the metric's unit,
    ``reference`` what it is a multiple of; ``excess`` is how far the value is beyond the bound, as
    a part of it, and negative within.
    """

    limit: Limit
    outcome: str
    row: Row | None = None
    value: float | None = None
    bound: float | None = None
    reference: float | None = None
    message: str = ""

    @property
    def excess(self) -> float | None:
        """Return the distance of the value beyond the bound, as a part of the bound."""
        if self.value is None or not self.bound:
            return None
        beyond = self.value - self.bound if self.limit.is_upper else self.bound - self.value
        return beyond / abs(self.bound)


def judge(
    limits: Sequence[Limit],
    rows_of: Callable[[str], list[Row]],
    environment: Mapping[str, Any] | None,
    baseline: Baseline | None,
) -> list[Verdict]:
    """Return a verdict for each row that a limit selects, and one for a limit that selects none."""
    return [
        verdict
        for limit in limits
        for verdict in _judge(limit, rows_of(limit.table), environment, baseline)
    ]


def selected_rows(limit: Limit, rows: Sequence[Row]) -> list[Row]:
    """Return the rows that a limit is about.

    In a table with layers it is about the network's row, unless it names another.
    """
    return [row for row in rows if _is_selected(limit, row)]


def _judge(
    limit: Limit,
    rows: list[Row],
    environment: Mapping[str, Any] | None,
    baseline: Baseline | None,
) -> Iterator[Verdict]:
    selected = selected_rows(limit, rows)
    if not selected:
        yield Verdict(limit, "fail", message=_why_none(limit, rows))
    for row in selected:
        yield _judge_row(limit, row, rows, environment, baseline)


def _judge_row(
    limit: Limit,
    row: Row,
    rows: list[Row],
    environment: Mapping[str, Any] | None,
    baseline: Baseline | None,
) -> Verdict:
    if row["status"] != "ok" and not (row["status"] == DOUBTFUL and _is_real(limit, row)):
        said = ": ".join(str(row[name]) for name in ("status", "message") if row[name])
        return Verdict(limit, "fail", row, message=f"not measured ({said})")
    value = number(row, limit.metric)
    if value is None:
        return Verdict(limit, "fail", row, message=f"{limit.metric} is empty in this row")
    if limit.reference is None:
        return _compare(limit, row, value, None, None)
    if limit.reference == "exact":
        exact = next((each for each in rows if _is_exact_of(each, row, limit.table)), None)
        if exact is None or number(exact, limit.metric) is None:
            return Verdict(limit, "fail", row, value, message="exact was not measured beside it")
        return _compare(limit, row, value, exact, None)
    if baseline is None:
        return Verdict(limit, "fail", row, value, message="no --baseline to compare with")
    return _judge_against(limit, row, value, environment, baseline)


def _is_real(limit: Limit, row: Row) -> bool:
    """Return whether a figure was measured: in a doubtful row only simulated ones are in doubt."""
    return row["device"] != SIMULATED and not limit.column.is_simulated


def _judge_against(
    limit: Limit, row: Row, value: float, environment: Mapping[str, Any] | None, baseline: Baseline
) -> Verdict:
    key = {name: row[name] for name in TABLES[limit.table].key}
    before = baseline.find(limit.table, key)
    if before is None:
        devices = baseline.devices(limit.table, key)
        if devices:
            message = f"the baseline is of {devices[0]}, this row of {row['device']}: not compared"
            return Verdict(limit, "skip", row, value, message=message)
        message = "the baseline has no such row: `check --update` adds it"
        return Verdict(limit, "fail", row, value, message=message)
    if number(before, limit.metric) is None:
        message = f"{limit.metric} is empty in the baseline: `check --update` renews it"
        return Verdict(limit, "fail", row, value, message=message)
    reason = why_not_comparable(limit.column, row["device"], environment, baseline.environment)
    if reason is not None:
        reference = number(before, limit.metric)
        message = f"the baseline is not comparable: {reason}"
        return Verdict(limit, "skip", row, value, None, reference, message)
    return _compare(limit, row, value, before, before)


def _compare(
    limit: Limit, row: Row, value: float, reference: Row | None, noisy: Row | None
) -> Verdict:
    """Return the verdict on a value; ``noisy`` is a reference whose own interval counts, too."""
    known = None if reference is None else number(reference, limit.metric)
    bound = limit.bound(known)
    nearest, widest = value, bound
    if limit.beyond_noise:
        nearest = _edge(row, limit, towards_less=limit.is_upper)
        if noisy is not None:
            widest = limit.bound(_edge(noisy, limit, towards_less=not limit.is_upper))
    # Not "value > bound": a value that is not a number is beyond any limit.
    is_within = nearest <= widest if limit.is_upper else nearest >= widest
    message = ""
    if is_within and not (value <= bound if limit.is_upper else value >= bound):
        message = "within its noise"
    return Verdict(limit, "pass" if is_within else "fail", row, value, bound, known, message)


def _edge(row: Row, limit: Limit, towards_less: bool) -> float:
    """Return an end of the interval of a metric; the metric itself where the row has none."""
    value = number(row, limit.metric) or 0.0
    spread = limit.column.spread
    if len(spread) == 2:
        end = number(row, spread[0 if towards_less else 1])
        return value if end is None else end
    error = _STANDARD_ERRORS * (number(row, spread[0]) or 0.0)
    return value - error if towards_less else value + error


def _is_selected(limit: Limit, row: Row) -> bool:
    chosen = {"layer": ALL_LAYERS, **limit.where} if _has_network_row(limit.table) else limit.where
    return all(_matches(row[column], wanted) for column, wanted in chosen.items())


def _has_network_row(table: str) -> bool:
    key = TABLES[table].key
    return "layer" in key and "weight_index" not in key


def _matches(value: Cell, wanted: Cell) -> bool:
    if isinstance(wanted, str):
        return fnmatchcase("" if value is None else str(value), wanted)
    return value == wanted


def _why_none(limit: Limit, rows: list[Row]) -> str:
    """Say which part of the selector matches nothing."""
    if not rows:
        return f"no rows: {limit.table}.csv is not in the run"
    for column, wanted in limit.where.items():
        if not any(_matches(row[column], wanted) for row in rows):
            there = dict.fromkeys(str(row[column]) for row in rows if row[column] is not None)
            return f"no row has {column} {wanted}: {suggest(str(wanted), there)}"
    return "no row has all of this at once"


def _is_exact_of(row: Row, other: Row, table: str) -> bool:
    """Return whether a row is of exact in the setting of another."""
    # A batch that was chosen for the memory belongs to the method.
    is_chosen = other.get("memory_budget_bytes") is not None and "batch_size" in other
    within = {"method", *KNOBS, *(["batch_size"] if is_chosen else [])}
    names = [name for name in TABLES[table].key if name not in within]
    return row["method"] == "exact" and all(row[name] == other[name] for name in names)


def number(row: Row, column: str) -> float | None:
    """Return the value of a cell; None where it holds no number."""
    value = row[column]
    return value if isinstance(value, int | float) else None
