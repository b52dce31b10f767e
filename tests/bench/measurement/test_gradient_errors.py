"""The measured errors are what formulas say, for estimators of which everything is known.

The convolution of ``linear_map`` covers its whole input of N pixels, so its weight gradient is
``g = Σ_b x_b δ_b`` and the estimate of the scheme "independent" as published ``Z Zᵀ g / r``:
whatever the batch, the network above or the loss, ``E‖ĝ - g‖² = (N + 1)/r · ‖g‖²`` for Gaussian
probes and ``(N - 1)/r · ‖g‖²`` for Rademacher's.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from statistics import NormalDist
from typing import Any
from unittest import mock

import pytest
from heard import outcome_of
from own_networks import LINEAR_MAP_SIDE, name
from statistics_checker import FALSE_ALARM_RATE, FEWEST_SAMPLES

from xconv import convert
from xconv_bench.configuration import (
    AverageErrorConfiguration,
    ErrorConfiguration,
    GradientConfiguration,
    VarianceConfiguration,
)
from xconv_bench.data.minibatches import partition
from xconv_bench.data.sources import DataOptions
from xconv_bench.errors import BenchError
from xconv_bench.measurement.average_error import AverageErrorMeasurement
from xconv_bench.measurement.comparison import GradientComparison, Start
from xconv_bench.measurement.error import ErrorMeasurement
from xconv_bench.measurement.variance import VarianceMeasurement

PIXELS, PROBES = LINEAR_MAP_SIDE**2, 4
CELL = GradientConfiguration(
    name("linear_map"), "xconv", "independent", PROBES, "rademacher", "conv", "compressed",
    batch_size=3, image_size=LINEAR_MAP_SIDE, data="synthetic", samples=12,
)  # fmt: skip
START = Start(DataOptions("synthetic", samples=12))
LIMIT = NormalDist().inv_cdf(1 - FALSE_ALARM_RATE / 2)

excesses = pytest.mark.parametrize(
    ("distribution", "excess"), [("gaussian", 1), ("rademacher", -1)]
)


@pytest.fixture(autouse=True)
def as_published() -> Iterator[None]:
    with mock.patch("xconv_bench.methods.xconv.convert", partial(convert, shared=True)):
        yield


def rows(measurement: Any, table: str) -> dict[str, dict[str, Any]]:
    """Rows of a measurement by layer."""
    return {row["layer"]: row for row in outcome_of(measurement).rows[table]}


@excesses
def test_the_error_of_one_layer(distribution: str, excess: int) -> None:
    cell = replace(CELL, distribution=distribution)
    repeats = FEWEST_SAMPLES
    found = rows(
        ErrorMeasurement(cell.extended(ErrorConfiguration, repeats=repeats), START), "error"
    )
    row = found["0"]
    expected = (PIXELS + excess) / PROBES
    other = (PIXELS - excess) / PROBES
    squared, se = row["relative_error"] ** 2, 2 * row["relative_error"] * row["relative_error_se"]
    assert abs(squared - expected) < LIMIT * se < abs(squared - other)
    assert row["relative_spread"] ** 2 == pytest.approx(expected, abs=LIMIT * se)
    assert row["relative_bias"] < 2 * row["relative_bias_noise"]
    assert row["bias_verdict"] == found["all"]["bias_verdict"] == "unbiased"
    same = ("relative_error", "relative_bias", "cosine", "relative_spread_se", "gradient_norm")
    assert [found["all"][column] for column in same] == pytest.approx([row[c] for c in same])


@excesses
def test_the_variance_that_the_estimator_adds(distribution: str, excess: int) -> None:
    """Given the minibatch it is (N ± 1)/r · ‖g_b‖², so its mean follows from that of ‖g_b‖²."""
    minibatches = FEWEST_SAMPLES
    cell = replace(CELL, distribution=distribution).extended(
        VarianceConfiguration, minibatches=minibatches, repeats=2
    )
    found = rows(VarianceMeasurement(cell, START), "variance")
    row = found["0"]
    # E‖g_b‖² = ‖mean g‖² + (1 - 1/M) · Var g, both of the same minibatches: no error of its own.
    squared_norm = row["gradient_norm"] ** 2 + (1 - 1 / minibatches) * row["sampling_variance"]
    expected = (PIXELS + excess) / PROBES * squared_norm
    other = (PIXELS - excess) / PROBES * squared_norm
    error = LIMIT * row["estimator_variance_se"]
    assert (
        abs(row["estimator_variance"] - expected) < error < abs(row["estimator_variance"] - other)
    )
    assert row["squared_error"] == pytest.approx(expected, abs=LIMIT * row["squared_error_se"])
    total = row["sampling_variance"] + row["estimator_variance"]
    assert row["total_variance"] == pytest.approx(total, abs=LIMIT * row["total_variance_se"])
    ratio = row["estimator_variance"] / row["sampling_variance"]
    assert row["variance_ratio"] == pytest.approx(ratio)
    assert row["rounding_squared_error"] is None
    assert {**found["all"], "layer": "0", "saved_bytes": 0} == {**row, "saved_bytes": 0}


def test_the_exact_method_has_sampling_variance_alone() -> None:
    cell = CELL.as_exact().extended(VarianceConfiguration, minibatches=4)
    row = rows(VarianceMeasurement(cell, START), "variance")["all"]
    assert row["total_variance"] == row["sampling_variance"] > 0
    assert row["estimator_variance"] == row["variance_ratio"] == row["squared_error"] == 0


def test_the_exact_method_has_no_error() -> None:
    cell = CELL.as_exact().extended(ErrorConfiguration, repeats=2)
    row = rows(ErrorMeasurement(cell, START), "error")["all"]
    assert row["relative_error"] == row["relative_bias"] == row["relative_spread"] == 0
    assert row["cosine"] == pytest.approx(1)
    assert row["bias_verdict"] == "exact"


def direct_average_error(cell: AverageErrorConfiguration) -> tuple[float, float]:
    """Equation 9 word for word, for exact gradients: the error, and ‖g‖."""
    comparison = GradientComparison(cell, START)
    batches = partition(cell.samples, cell.batch_size, cell.seed)
    full = comparison.exact(comparison.samples.batch(range(cell.samples)), 0)["0"].double()
    gradients = [comparison.exact(comparison.samples.batch(b), 0)["0"].double() for b in batches]
    whole = [g for g, b in zip(gradients, batches, strict=True) if len(b) == cell.batch_size]
    squares = [float((full - gradient).square().sum()) for gradient in whole]
    return sum(squares) / len(squares), float(full.norm())


@pytest.mark.parametrize("batch_size", [3, 5, 12])
@pytest.mark.parametrize("chunk_size", [2, 12])
def test_the_average_error_of_exact_gradients(batch_size: int, chunk_size: int) -> None:
    """Hold it whether or not batches divide the data, however the exact gradient is cut."""
    cell = replace(CELL.as_exact(), batch_size=batch_size).extended(AverageErrorConfiguration)
    row = rows(AverageErrorMeasurement(cell, START, chunk_size), "age")["all"]
    expected, norm = direct_average_error(cell)
    assert row["average_gradient_error"] == pytest.approx(expected, rel=1e-5, abs=1e-12)
    assert row["exact_average_gradient_error"] == row["average_gradient_error"]
    assert row["full_gradient_norm"] == pytest.approx(norm, rel=1e-6)
    assert row["minibatch_count"] == 12 // batch_size


def test_the_average_error_of_estimates_is_sampling_and_estimator_together() -> None:
    """Over a data set so large that the error of the mean counts for little."""
    cell = replace(CELL, samples=3 * FEWEST_SAMPLES, distribution="gaussian")
    start = Start(DataOptions("synthetic", samples=cell.samples))
    measurement = AverageErrorMeasurement(cell.extended(AverageErrorConfiguration), start, 3)
    row = rows(measurement, "age")["0"]
    squared_norm = row["full_gradient_norm"] ** 2 + row["exact_average_gradient_error"]
    expected = row["exact_average_gradient_error"] + (PIXELS + 1) / PROBES * squared_norm
    error = LIMIT * row["average_gradient_error_se"]
    assert abs(row["average_gradient_error"] - expected) < error < 0.5 * expected


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_at_half_precision_more_probes_end_at_the_rounding_of_the_exact_layer(dtype: str) -> None:
    cell = replace(CELL, dtype=dtype)
    exact, few = (
        rows(
            VarianceMeasurement(c.extended(VarianceConfiguration, minibatches=6), START), "variance"
        )["all"]
        for c in (cell.as_exact(), cell)
    )
    assert 0 < exact["squared_error"] == exact["rounding_squared_error"]
    assert exact["rounding_squared_error"] == few["rounding_squared_error"] < few["squared_error"]
    relative = (exact["squared_error"] / exact["gradient_norm"] ** 2) ** 0.5
    assert relative < {"bfloat16": 2**-6, "float16": 2**-9}[dtype]


def test_what_is_not_finite_is_named_by_its_layer() -> None:
    cell = replace(CELL, model=name("overflows")).extended(ErrorConfiguration, repeats=2)
    with pytest.raises(BenchError, match=r"^the exact gradient of 0 is not finite \(minibatch 0\)"):
        rows(ErrorMeasurement(cell, START), "error")
