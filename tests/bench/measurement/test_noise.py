"""A row whose gradient is more noise than gradient says what to do about it."""

from typing import Any

import pytest
from own_networks import LINEAR_MAP_SIDE, name

from xconv_bench.configuration import Configuration
from xconv_bench.measurement.gradient_error import gradient_error
from xconv_bench.measurement.noise import remark_on_noise

ABOVE = "gradient error above 1: more noise than gradient; "


@pytest.mark.parametrize(
    ("knobs", "remedy"),
    [
        (
            {"scheme": "spectral", "bits": 0.5},
            "more bits cost little where maps are small: try --bits 2, or xconv-bench advise",
        ),
        ({"scheme": "quantized", "bits": 4}, "try --bits 8, or xconv-bench advise"),
        ({"scheme": "spectral", "bits": 8}, "see what xconv-bench advise makes of the same memory"),
        ({"scheme": "multi", "probes": 8}, "try more probes, --probes 32, or --scheme spectral"),
        ({"scheme": "sampling", "keep": 0.1}, "try to keep more, --keep 0.4, or --scheme spectral"),
        ({"plan": "plan.toml@1f0c44a2"}, "let xconv-bench advise work out a plan with more memory"),
    ],
)
def test_the_remedy_is_that_of_the_dial(knobs: dict[str, Any], remedy: str) -> None:
    cell = Configuration("own", "xconv", **knobs)
    said = remark_on_noise(1.01, 0.0, cell)
    assert said.startswith(ABOVE) and said.endswith(remedy)


@pytest.mark.parametrize(("error", "floor"), [(None, None), (1.0, 0.0), (3.0, 1.5)])
def test_nothing_is_said_where_it_is_not_true(error: float | None, floor: float | None) -> None:
    assert remark_on_noise(error, floor, Configuration("own", "xconv", "multi", 8)) == ""
    assert remark_on_noise(5.0, 0.0, Configuration("own", "quantized", bits=1)) == ""


def test_a_measured_row_says_it_once() -> None:
    cell = Configuration(
        name("linear_map"), "xconv", "independent", 1, "gaussian", "conv", "compressed",
        batch_size=3, image_size=LINEAR_MAP_SIDE,
    )  # fmt: skip
    found = gradient_error(cell)
    assert found["gradient_relative_error"] > 1
    assert found["message"] == f"{ABOVE}try more probes, --probes 4, or --scheme spectral"
