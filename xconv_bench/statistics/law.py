"""Laws by which the estimator's variance falls with probes, and how many probes are enough."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, isfinite, log, sqrt
from typing import Any

import numpy as np

from xconv_bench.results.schema import ALL_LAYERS, Cell
from xconv_bench.results.schema.variance_law import VARIANCE_LAW

Row = Mapping[str, Cell]

THEORY = -1.0
"""The exponent of an estimator that is a mean over independent probes."""

FAR = 8
"""An answer so many times beyond or below what was measured is called an extrapolation."""

_MOST_PROBES = 1e9

ROUNDING = 1e-6
"""A ratio no larger is that of an exact gradient: sums whose order differs from run to run."""


@dataclass(frozen=True)
class Law:
    """``ratio = at_one · r^exponent``, with the standard error and the fit of the logarithms."""

    at_one: float
    exponent: float
    exponent_se: float | None = None
    r_squared: float | None = None

    def probes(self, ratio: float) -> float:
        """Return where the law meets a ratio; infinite where it never does."""
        if self.exponent >= 0:
            return float("inf")
        return exp(min((log(ratio) - log(self.at_one)) / self.exponent, 700.0))


def fit_laws(rows: Sequence[Row], target_ratio: float = 1.0) -> list[dict[str, Any]]:
    """Return rows of ``variance_law.csv``, one for each layer of each setting that was probed.

    With ρ_r the measured ratio of estimator to sampling variance at r probes and s_r the standard
    error of its logarithm, weighted least squares of ``log ρ_r = a + p log r`` with weights 1/s_r².
    The sampling variance is the same for all r, being that of the same minibatches: its error moves
    a and not p, and s_r is that of the estimator's variance alone. Where only one r was measured,
    p = -1, the theory. Where the gradient is exact, but for rounding, the law has no point; that
    of all layers together has none where any of them is exact.

    ``smallest_probes`` is the first r at which the law keeps ``target_ratio``; not below an r that
    was measured and does not keep it, nor above one that does.
    """
    groups: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        if row["probes"] and row["status"] == "ok" and row["variance_ratio"] is not None:
            groups.setdefault(tuple(row[column] for column in VARIANCE_LAW.key), []).append(row)
    partly_exact: dict[tuple[Cell, ...], set[int]] = {}
    for key, group in groups.items():
        exact = {r for r, ratio in _ratios(group).items() if ratio <= ROUNDING}
        partly_exact.setdefault(_setting(key), set()).update(exact)
    return [
        dict(zip(VARIANCE_LAW.key, key, strict=True))
        | _law_row(group, target_ratio, partly_exact[_setting(key)] if _is_all(key) else set())
        for key, group in groups.items()
    ]


def fit(probes: Sequence[float], ratios: Sequence[float], errors: Sequence[float]) -> Law:
    """Fit the law to ``ratios``, all positive, with relative standard ``errors``, all positive."""
    if len(probes) == 1:
        return Law(ratios[0] * probes[0], THEORY)
    x, y = np.log(probes), np.log(ratios)
    weights = 1 / np.square(errors)
    x_mean, y_mean = np.average(x, weights=weights), np.average(y, weights=weights)
    scatter = float(weights @ np.square(x - x_mean))
    exponent = float(weights @ ((x - x_mean) * (y - y_mean))) / scatter
    residual = float(weights @ np.square(y - y_mean - exponent * (x - x_mean)))
    total = float(weights @ np.square(y - y_mean))
    # Where the points lie further from the line than their errors say, the errors are too small.
    inflation = max(1.0, residual / (len(probes) - 2)) if len(probes) > 2 else 1.0
    return Law(
        at_one=exp(y_mean - exponent * x_mean),
        exponent=exponent,
        exponent_se=sqrt(inflation / scatter),
        r_squared=1 - residual / total if total else None,
    )


def _setting(key: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Fit the law to all layers of a network."""
    return tuple(
        value for name, value in zip(VARIANCE_LAW.key, key, strict=True) if name != "layer"
    )


def _is_all(key: tuple[Cell, ...]) -> bool:
    return key[VARIANCE_LAW.key.index("layer")] == ALL_LAYERS


def _ratios(group: Sequence[Row]) -> dict[int, float]:
    return {int(_number(row, "probes")): _number(row, "variance_ratio") for row in group}


def _law_row(group: Sequence[Row], target: float, partly_exact: Collection[int]) -> dict[str, Any]:
    measured = _ratios(group)
    probed = {r for r, ratio in measured.items() if ratio > ROUNDING}
    used = sorted(probed.difference(partly_exact) or probed)
    exact = sorted(measured.keys() - probed)
    mixed = sorted(probed.difference(used))
    common = {
        **dict.fromkeys(("exponent", "exponent_se", "r_squared", "ratio_at_one_probe")),
        "status": "ok",
        "points": len(used),
        "target_ratio": target,
    }
    remarks = [f"exact from r={exact[0]} on, or earlier"] if exact else []
    if mixed:
        remarks.append(f"some layers are exact from r={mixed[0]} on, or earlier")
    if not used:
        smallest = exact[0] if exact else None
        return {**common, "smallest_probes": smallest, "message": "; ".join(remarks)}
    errors = {int(_number(row, "probes")): _relative_error(row) for row in group}
    law = fit(used, [measured[r] for r in used], [errors[r] for r in used])
    smallest, remark = _smallest(law, measured, target)
    return {
        **common,
        "exponent": law.exponent if len(used) > 1 else None,
        "exponent_se": law.exponent_se,
        "r_squared": law.r_squared,
        "ratio_at_one_probe": law.at_one,
        "smallest_probes": smallest,
        "message": "; ".join([*remarks, *remark, *_about(used)]),
    }


def _smallest(
    law: Law, measured: Mapping[int, float], target: float
) -> tuple[int | None, list[str]]:
    """Return the smallest number of probes, and a remark on it."""
    found = law.probes(target)
    keeps = [r for r, ratio in measured.items() if ratio <= target]
    fails = [r for r, ratio in measured.items() if ratio > target and r < min(keeps, default=r + 1)]
    lower, upper = max(fails, default=0) + 1, min(keeps, default=None)
    if not isfinite(found) or found > _MOST_PROBES:
        answer = "no answer" if upper is None else "the fewest that were measured to be enough"
        reason = "is out of reach" if isfinite(found) else "does not fall with the probes"
        return upper, [f"the variance {reason}: {answer}"]
    smallest = max(ceil(found * (1 - 1e-9)), lower, 1)
    if upper is not None:
        smallest = min(smallest, upper)
    return smallest, _extrapolated(smallest, measured)


def _extrapolated(smallest: int, measured: Collection[int]) -> list[str]:
    fewest, most = min(measured), max(measured)
    if smallest > FAR * most:
        return [f"extrapolated far beyond r={most}"]
    if FAR * smallest < fewest:
        return [f"extrapolated far below r={fewest}"]
    return []


def _about(used: Sequence[int]) -> list[str]:
    if len(used) > 1:
        return []
    return [f"one number of probes only, r={used[0]}: the law 1/r is taken for granted"]


def _relative_error(row: Row) -> float:
    """Return the relative error of the estimator's variance; 1 where it is not known."""
    se, value = row["estimator_variance_se"], row["estimator_variance"]
    if not isinstance(se, float) or not isinstance(value, float) or not se or not value:
        return 1.0
    return se / value


def _number(row: Row, column: str) -> float:
    value = row[column]
    assert isinstance(value, int | float)
    return value
