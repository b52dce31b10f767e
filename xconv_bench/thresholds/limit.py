"""A limit of a metric: which rows of which table, and what their metric must not be beyond.

    memory/resnet50/xconv probes=8: simulated_peak_bytes <= 0.65 * exact
    memory/*/*: saved_bytes <= 1.02 * baseline
    error/paper/cifar/xconv: relative_error <= 3.5
    max_batch/squeezenet1_0: max_batch_size >= 70

Before the colon ``TABLE/MODEL/METHOD`` and any other column as ``column=value``; ``*`` and ``?``
stand for any text. Behind it the metric, a column, and a number: times what the ``exact`` row of
the same setting has, or the same row of a ``baseline``. Which way a metric regresses is declared
with its column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Literal

from xconv_bench.errors import UsageError, suggest
from xconv_bench.results.schema import TABLES, Cell, Column
from xconv_bench.results.schema.column import Better

Reference = Literal["exact", "baseline"]

_UNITS = {
    "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "kB": 1e3, "MB": 1e6, "GB": 1e9,
    "s": 1.0, "ms": 1e-3, "%": 1e-2,
}  # fmt: skip
_SHORT = re.compile(
    r"(?P<rows>.*):\s*(?P<metric>\w+)\s*(?P<sign><=|>=)\s*"
    r"(?P<number>[0-9.eE+-]+)\s*(?P<unit>[KMG]iB|kB|[MG]B|ms|s|%)?"
    r"(\s*\*\s*(?P<reference>exact|baseline))?\s*(?P<noise>beyond noise)?\s*"
)
_EXPECTED = (
    'expected "TABLE/MODEL/METHOD column=value: METRIC <= NUMBER", the number alone, '
    "* exact or * baseline"
)


@dataclass(frozen=True)
class Limit:
    """Demand that a ``metric`` is at most, or at least, ``factor`` times a reference.

    It is demanded of the rows ``where``. Without a ``reference`` the factor is the limit itself.
    ``beyond_noise``: only what is beyond the limit with its whole interval (that of its column, or
    three standard errors) fails.

    >>> read_limit("error: cosine >= 0.75 * baseline").bound(8.0)
    6.0
    """

    table: str
    where: Mapping[str, Cell] = field(hash=False)
    metric: str
    is_upper: bool
    factor: float
    reference: Reference | None = None
    beyond_noise: bool = False

    def __str__(self) -> str:
        return f"{self.rows}: {self.demand}"

    @property
    def column(self) -> Column:
        """Return the column of the metric."""
        return TABLES[self.table][self.metric]

    @property
    def rows(self) -> str:
        """Return the short form of what selects rows."""
        where = dict(self.where)
        words = [f"{column}={value}" for column, value in where.items() if column not in _PATH]
        path = [str(where[column]) if column in where else "*" for column in _PATH]
        while path and path[-1] == "*":
            path.pop()
        return " ".join(["/".join([self.table, *path]), *words])

    def bound(self, reference: float | None) -> float:
        """Return what the metric must not be beyond, where the reference has this value.

        Below zero too, a factor of 0.75 allows a figure that is smaller by a quarter of its size:
        -10 where the reference has -8.
        """
        if reference is None:
            return self.factor
        if reference < 0:
            return (2 - self.factor) * reference
        return self.factor * reference

    @property
    def demand(self) -> str:
        """Return the short form of what is demanded of them."""
        words = [self.metric, "<=" if self.is_upper else ">=", f"{self.factor:.12g}"]
        words += ["*", self.reference] if self.reference else []
        words += ["beyond noise"] if self.beyond_noise else []
        return " ".join(words)


_PATH = ("model", "method")


@dataclass(frozen=True)
class Bounds:
    """The demands of a ``[[threshold]]``: any of them."""

    largest: float | None = None
    smallest: float | None = None
    max_ratio_to_exact: float | None = None
    min_ratio_to_exact: float | None = None
    max_regression: str | float | None = None


def read_limit(text: str) -> Limit:
    """Return the limit that the short form says. Raises UsageError, which shows it."""
    match = _SHORT.fullmatch(text)
    if match is None:
        raise UsageError(f"limit {text!r}: {_EXPECTED}")
    path, *words = match["rows"].split()
    table, _, rest = path.partition("/")
    where: dict[str, Cell] = {}
    if rest:
        # A model's name may hold slashes; a method's does not.
        model, slash, method = rest.rpartition("/")
        where = {"model": model, "method": method} if slash else {"model": rest}
    for word in words:
        column, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"limit {text!r}: {word!r} is no column=value; {_EXPECTED}")
        where[column] = value
    try:
        number = float(match["number"]) * _UNITS.get(match["unit"], 1.0)
        return _checked(
            Limit(
                table.replace("-", "_"),
                {column: value for column, value in where.items() if value != "*"},
                match["metric"],
                match["sign"] == "<=",
                number,
                _reference(match["reference"]),
                match["noise"] is not None,
            )
        )
    except (UsageError, ValueError) as error:
        raise UsageError(f"limit {text!r}: {error}") from error


def limits_of(
    table: str, where: Mapping[str, Cell], metric: str, bounds: Bounds, beyond_noise: bool
) -> list[Limit]:
    """Return the limits of a ``[[threshold]]``. Raises UsageError for what cannot be."""
    table = table.replace("-", "_")
    demands: list[tuple[bool, float, Reference | None]] = []
    if bounds.largest is not None:
        demands.append((True, bounds.largest, None))
    if bounds.smallest is not None:
        demands.append((False, bounds.smallest, None))
    if bounds.max_ratio_to_exact is not None:
        demands.append((True, bounds.max_ratio_to_exact, "exact"))
    if bounds.min_ratio_to_exact is not None:
        demands.append((False, bounds.min_ratio_to_exact, "exact"))
    if bounds.max_regression is not None:
        demands.append(_no_regression(_metric(table, metric), bounds.max_regression))
    if not demands:
        raise UsageError(
            f"the threshold of {metric} demands nothing: expected max, min, max_ratio_to_exact, "
            "min_ratio_to_exact or max_regression"
        )
    return [_checked(Limit(table, where, metric, *demand, beyond_noise)) for demand in demands]


def _no_regression(column: Column, allowed: str | float) -> tuple[bool, float, Reference]:
    """Return the demand that a metric is worse than the baseline by a part at the most."""
    part = _part(allowed)
    if column.better is Better.LESS:
        return True, 1 + part, "baseline"
    if column.better is None:
        raise UsageError(
            f"max_regression of {column.name}: neither more nor less of it is better; give max and "
            f'min, or limits such as "{column.name} <= 1.02 * baseline"'
        )
    if part >= 1:
        raise UsageError(
            f"max_regression = {allowed!r} of {column.name}, of which more is better, allows "
            "anything: expected a part below 100 %"
        )
    return False, 1 - part, "baseline"


def _checked(limit: Limit) -> Limit:
    """Return the limit with the values of its columns read.

    Raises UsageError for a name that is none.
    """
    metric = _metric(limit.table, limit.metric)
    if not _is_finite(limit.factor):
        raise UsageError(f"the limit of {limit.metric} is not finite: expected a finite one")
    if limit.beyond_noise and not metric.spread:
        raise UsageError(
            f"noise of {limit.metric} is not in {limit.table}.csv: expected a metric with an "
            "interval or a standard error there, such as step_ratio of runtime"
        )
    where = {column: _selected(limit.table, column, limit.where[column]) for column in limit.where}
    return Limit(**{**limit.__dict__, "where": where})


def _metric(table: str, name: str) -> Column:
    """Return the column of a metric. Raises UsageError where there is none."""
    if table not in TABLES:
        raise UsageError(f"table {table!r} is unknown: {suggest(table, TABLES)}")
    metrics = {column.name: column for column in TABLES[table].figures if column.is_number}
    if name not in metrics:
        raise UsageError(f"metric {name!r} is no number in {table}.csv: {suggest(name, metrics)}")
    return metrics[name]


def _selected(table: str, column: str, value: Cell) -> Cell:
    schema = TABLES[table]
    if column not in schema.names:
        raise UsageError(f"column {column!r} is not in {table}.csv: {suggest(column, schema.key)}")
    if schema[column].is_number and isinstance(value, str):
        try:
            return schema[column].read(value)
        except ValueError:
            raise UsageError(f"{column}={value}: expected a number") from None
    return value


def _is_finite(number: float) -> bool:
    try:
        return isfinite(number)
    except OverflowError:  # an integer of hundreds of digits
        return False


def _reference(word: str | None) -> Reference | None:
    return "exact" if word == "exact" else "baseline" if word == "baseline" else None


def _part(text: str | float) -> float:
    """Return a part: ``"2%"`` and 0.02 are the same. Raises UsageError for what is no part."""
    try:
        if isinstance(text, str):
            part = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        else:
            part = float(text)
    except (ValueError, OverflowError):
        part = -1.0
    if not 0 <= part < inf:
        raise UsageError(f'max_regression = {text!r}: expected a part such as "2%"')
    return part
