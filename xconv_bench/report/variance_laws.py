"""Fitted laws beside the rows that they were fitted to, and their answers in words."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf, log

from xconv_bench.naming import estimator_words
from xconv_bench.report.rows import Row, by_estimator, number, of_network, settings_of
from xconv_bench.report.words import format_ratio
from xconv_bench.results.schema import Cell
from xconv_bench.results.schema.variance import VARIANCE
from xconv_bench.results.schema.variance_law import VARIANCE_LAW
from xconv_bench.statistics.estimates import Measured, root

Laws = Mapping[tuple[Cell, ...], Row]
"""Rows of ``variance_law.csv`` by the columns that they are known by."""

_ROUNDING = 1e-4
"""Errors up to this part of a gradient are rounding in float32."""

BATCHES_TOGETHER = tuple(column for column in VARIANCE.key if column != "batch_size")
"""The columns by which a setting is known where its batch sizes stand side by side."""


def laws_by_key(laws: Sequence[Row]) -> Laws:
    """Return the laws as ``law_of`` finds them."""
    return {_key(law): law for law in laws}


def law_of(laws: Laws, row: Row) -> Row | None:
    """Return the law that a row of ``variance.csv`` follows."""
    return laws.get(_key(row))


def target_of(law: Row) -> float:
    """Return the variance ratio that a law's number of probes keeps; 1 where it does not say."""
    return number(law, "target_ratio") or 1.0


def deviation(row: Row, column: str = "total_variance") -> Measured | None:
    """Return the root of a variance with its standard error; None where it was not measured."""
    value = number(row, column)
    if value is None:
        return None
    (error,) = VARIANCE[column].spread
    return root(Measured(value, number(row, error)))


def ratio_words(row: Row) -> str:
    """Return ``0.80× (0.70 to 0.90)``: estimator over sampling variance with its interval.

    An estimate without variance is ``exact``, or off by the same in every repetition.
    """
    ratio = number(row, "variance_ratio")
    low, high = number(row, "variance_ratio_low"), number(row, "variance_ratio_high")
    if ratio is None:
        # Minibatches that do not differ have nothing that the estimator's variance could be held
        # against.
        return "∞" if number(row, "estimator_variance") and row["sampling_variance"] == 0 else ""
    if ratio == 0:
        return "biased alone" if _is_off(row) else "exact"
    if low is None or high is None:
        return format_ratio(ratio)
    low_words, high_words = (format_ratio(bound).removesuffix("×") for bound in (low, high))
    return f"{format_ratio(ratio)} ({low_words} to {high_words})"


def _is_off(row: Row) -> bool:
    """Return whether an estimate is further from the exact gradient than by rounding."""
    error, norm = number(row, "squared_error"), number(row, "gradient_norm")
    if not error or norm is None:
        return False
    rounding = number(row, "rounding_squared_error") or (_ROUNDING * norm) ** 2
    return error > 2 * rounding


def answers(rows: Sequence[Row], laws: Sequence[Row]) -> list[str]:
    """Return what the estimator adds to the network's variance, and how many probes keep it small.

    A line for each estimator and batch size, such as ``xconv multi: at r=64 the estimator adds
    0.80× (0.70 to 0.90) the sampling variance at batch 128; r ≥ 51 keeps it at 1× or below``. The
    r is the measured one whose ratio lies next to the target.
    """
    by_key = laws_by_key(laws)
    return [
        setting.named(line)
        for setting in settings_of(rows, BATCHES_TOGETHER)
        for some in by_estimator(of_network(setting.rows)).values()
        for line in _answers(some, by_key)
    ]


def _answers(rows: Sequence[Row], laws: Laws) -> Iterator[str]:
    for batch in dict.fromkeys(row["batch_size"] for row in rows):
        some = [row for row in rows if row["batch_size"] == batch]
        law = law_of(laws, some[0])
        measured = [row for row in some if number(row, "variance_ratio") is not None]
        if law is not None and measured:
            target = target_of(law)
            nearest = min(measured, key=lambda row: _distance(row, target))
            yield f"{_adds(nearest)}; {_keeps(law, target)}"


def _distance(row: Row, target: float) -> float:
    """Return the distance on a logarithmic scale: an exact gradient is the last to be told."""
    ratio = number(row, "variance_ratio")
    return abs(log(ratio / target)) if ratio else inf


def _adds(row: Row) -> str:
    where = f"{estimator_words(row)}: at r={row['probes']}"
    if not row["variance_ratio"]:
        return f"{where} and batch {row['batch_size']} all gradients are exact"
    return (
        f"{where} the estimator adds {ratio_words(row)} the sampling variance "
        f"at batch {row['batch_size']}"
    )


def _keeps(law: Row, target: float) -> str:
    smallest, message = law["smallest_probes"], law["message"]
    remark = f" ({message})" if message else ""
    if smallest is None:
        return f"no number of probes is known to keep it at {target:g}× or below{remark}"
    return f"r ≥ {smallest} keeps it at {target:g}× or below{remark}"


def _key(row: Row) -> tuple[Cell, ...]:
    return tuple(row[column] for column in VARIANCE_LAW.key)
