"""Limits in their short form and as tables of a profile, and what cannot be a limit."""

import pytest

from xconv_bench.errors import UsageError
from xconv_bench.results.schema import TABLES
from xconv_bench.results.schema.column import Better
from xconv_bench.thresholds.limit import Bounds, limits_of, read_limit


@pytest.mark.parametrize(
    ("text", "table", "where", "is_upper", "factor", "reference"),
    [
        (
            "memory/resnet50/xconv: simulated_peak_bytes <= 0.65 * exact",
            "memory", {"model": "resnet50", "method": "xconv"}, True, 0.65, "exact",
        ),
        ("memory/*/*: saved_bytes<=1.02*baseline", "memory", {}, True, 1.02, "baseline"),
        (
            "error/paper/cifar/xconv probes=8 layer=0: relative_error <= 3.5",
            "error",
            {"model": "paper/cifar", "method": "xconv", "probes": 8, "layer": "0"},
            True, 3.5, None,
        ),
        ("max-batch/resnet18: max_batch_size >= 70", "max_batch", {"model": "resnet18"}, False,
         70, None),
        ("memory: saved_bytes <= 3 GiB", "memory", {}, True, 3 * 2**30, None),
        ("runtime: step_seconds <= 5 ms", "runtime", {}, True, 0.005, None),
        ("memory/net.py:Net/xconv: saved_bytes <= 1", "memory",
         {"model": "net.py:Net", "method": "xconv"}, True, 1, None),
        ("error keep=0.1: cosine >= 98 % * baseline", "error", {"keep": 0.1}, False, 0.98,
         "baseline"),
    ],
)  # fmt: skip
def test_short_form(
    text: str, table: str, where: object, is_upper: bool, factor: float, reference: str | None
) -> None:
    limit = read_limit(text)
    assert (limit.table, limit.where, limit.is_upper) == (table, where, is_upper)
    assert limit.factor == pytest.approx(factor)
    assert limit.reference == reference
    assert read_limit(str(limit)) == limit


def test_noise_is_asked_for_by_words() -> None:
    limit = read_limit("runtime: step_ratio <= 1.1 * baseline beyond noise")
    assert limit.beyond_noise and read_limit(str(limit)) == limit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memory", "expected \"TABLE/MODEL/METHOD"),
        ("memory: saved_bytes < 3", "expected \"TABLE"),
        ("memory: saved_bytes <= lots", "expected \"TABLE"),
        ("memory: saved_bytes <= 1e", "could not convert"),
        ("memory: saved_bytes <= 1e999", "expected a finite one"),
        ("memroy: saved_bytes <= 3", "table 'memroy' is unknown: did you mean 'memory'?"),
        ("memory: saved_byte <= 3", "metric 'saved_byte' is no number in memory.csv: did you mean "
         "'saved_bytes'?"),
        ("memory: status <= 3", "metric 'status' is no number in memory.csv"),
        ("memory: probes <= 3", "metric 'probes' is no number in memory.csv"),
        ("memory probe=3: saved_bytes <= 3", "column 'probe' is not in memory.csv: did you mean "
         "'probes'?"),
        ("memory probes=few: saved_bytes <= 3", "probes=few: expected a number"),
        ("memory probes: saved_bytes <= 3", "'probes' is no column=value"),
        ("memory: step_seconds <= 3 beyond noise", "noise of step_seconds is not in memory.csv"),
    ],
)  # fmt: skip
def test_what_is_no_limit(text: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_limit(text)
    assert str(raised.value).startswith(f"limit {text!r}: ") and message in str(raised.value)


@pytest.mark.parametrize(
    ("metric", "bounds", "demands"),
    [
        ("saved_bytes", Bounds(largest=3), ["saved_bytes <= 3"]),
        ("saved_bytes", Bounds(smallest=3), ["saved_bytes >= 3"]),
        ("saved_bytes", Bounds(max_ratio_to_exact=0.5), ["saved_bytes <= 0.5 * exact"]),
        ("saved_bytes", Bounds(max_regression="2%"), ["saved_bytes <= 1.02 * baseline"]),
        ("saved_bytes", Bounds(max_regression=0.5), ["saved_bytes <= 1.5 * baseline"]),
        ("saved_bytes", Bounds(min_ratio_to_exact=0.5), ["saved_bytes >= 0.5 * exact"]),
        ("saved_bytes", Bounds(1, 2, 4, 3, "0%"),
         ["saved_bytes <= 1", "saved_bytes >= 2", "saved_bytes <= 4 * exact",
          "saved_bytes >= 3 * exact", "saved_bytes <= 1 * baseline"]),
    ],
)  # fmt: skip
def test_of_a_table(metric: str, bounds: Bounds, demands: list[str]) -> None:
    limits = limits_of("memory", {"probes": 8}, metric, bounds, False)
    assert [limit.demand for limit in limits] == demands
    assert all(limit.where == {"probes": 8} for limit in limits)


@pytest.mark.parametrize(
    ("table", "metric", "demand"),
    [
        ("max_batch", "max_batch_size", ">= 0.98"),
        ("training", "accuracy", ">= 0.98"),
        ("training", "psnr_db", ">= 0.98"),
        ("training", "dice", ">= 0.98"),
        ("training", "ssim", ">= 0.98"),
        ("training", "iou", ">= 0.98"),
        ("training", "classifier_agreement", ">= 0.98"),
        ("training", "frechet_distance", "<= 1.02"),
        ("training", "loss", "<= 1.02"),
        ("variance_law", "smallest_probes", "<= 1.02"),
        ("error", "cosine", ">= 0.98"),
    ],
)
def test_a_regression_is_a_change_for_the_worse(table: str, metric: str, demand: str) -> None:
    (limit,) = limits_of(table, {}, metric, Bounds(max_regression="2%"), False)
    assert limit.demand == f"{metric} {demand} * baseline"


@pytest.mark.parametrize("table", TABLES)
def test_regressions_of_all_columns(table: str) -> None:
    """A change for the worse is beyond the bound, one for the better within; the rest is refused.

    So it is where the figure is negative, too.
    """
    for column in TABLES[table].figures:
        metric = column.name
        if not column.is_number:
            continue
        if column.better is None:
            with pytest.raises(UsageError, match="neither more nor less of it is better"):
                limits_of(table, {}, metric, Bounds(max_regression="2%"), False)
            continue
        (limit,) = limits_of(table, {}, metric, Bounds(max_regression="2%"), False)
        for before in (100.0, -100.0):
            worse = before - 5 if column.better is Better.MORE else before + 5
            better = before + 5 if column.better is Better.MORE else before - 5
            bound = limit.bound(before)
            assert (worse > bound) if limit.is_upper else (worse < bound), (metric, before)
            for value in (before, better):
                assert (value <= bound) if limit.is_upper else (value >= bound), (metric, before)


@pytest.mark.parametrize("part", ["a bit", "-5%", "nan%", "inf", 10**400, -0.1, float("nan")])
def test_a_regression_that_is_no_part(part: str | float) -> None:
    with pytest.raises(UsageError, match=r"max_regression = .*: expected a part"):
        limits_of("memory", {}, "saved_bytes", Bounds(max_regression=part), False)


def test_a_regression_that_allows_anything() -> None:
    with pytest.raises(UsageError, match="allows anything: expected a part below 100 %"):
        limits_of("training", {}, "accuracy", Bounds(max_regression="100%"), False)


@pytest.mark.parametrize("bound", [float("inf"), float("nan"), 10**400])
def test_a_bound_that_is_beyond_all_numbers(bound: float) -> None:
    for bounds in (Bounds(largest=bound), Bounds(smallest=bound), Bounds(max_ratio_to_exact=bound)):
        with pytest.raises(UsageError, match="expected a finite one"):
            limits_of("memory", {}, "saved_bytes", bounds, False)
