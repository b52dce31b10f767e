"""At half precision errors fall with the probes as in float32, and end at what rounding costs."""

from dataclasses import replace

import pytest
from heard import outcome_of

from xconv_bench.configuration import ErrorConfiguration
from xconv_bench.data.sources import DataOptions
from xconv_bench.measurement.comparison import Start
from xconv_bench.measurement.error import ErrorMeasurement

CELL = ErrorConfiguration(
    "paper/cifar", "xconv", "independent", 4, "rademacher", "conv", "exact",
    batch_size=4, image_size=16, data="synthetic", samples=8, repeats=4,
)  # fmt: skip
START = Start(DataOptions("synthetic", samples=8))
EXACT_TO_SEE = 0.1
"""Seeds are the same in both dtypes, so that errors differ by rounding alone."""


def errors_of(cell: ErrorConfiguration) -> dict[str, float]:
    rows = outcome_of(ErrorMeasurement(cell, START)).rows["error"]
    return {row["layer"]: row["relative_error"] for row in rows}


def test_the_error_falls_as_in_float32_to_the_floor_of_rounding() -> None:
    half = replace(CELL, dtype="bfloat16")
    floor = errors_of(half.as_exact())
    assert all(0.001 < error < 0.1 for error in floor.values())
    few, single = errors_of(half), errors_of(CELL)
    compressed = [layer for layer, error in single.items() if error > EXACT_TO_SEE]
    assert len(compressed) == 4  # three layers and all: the first keeps the batch
    for layer in compressed:
        assert few[layer] == pytest.approx(single[layer], rel=0.05)
        assert few[layer] > 10 * floor[layer]
    more = errors_of(replace(half, probes=16))
    assert all(0.3 < more[layer] / few[layer] < 0.7 for layer in ("2", "all"))
    # As many probes as pixels: the sketch would be no smaller.
    assert errors_of(replace(half, probes=256)) == floor
