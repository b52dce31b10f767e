"""The CIFAR network of the paper on real photographs: unbiased, and a variance of one over r."""

from dataclasses import replace
from typing import Any

import pytest
from heard import outcome_of

from xconv.schemes import SCHEMES
from xconv_bench.configuration import (
    ErrorConfiguration,
    GradientConfiguration,
    VarianceConfiguration,
)
from xconv_bench.data.sources import DataOptions
from xconv_bench.measurement.comparison import Start
from xconv_bench.measurement.error import ErrorMeasurement
from xconv_bench.measurement.variance import VarianceMeasurement
from xconv_bench.methods import METHODS
from xconv_bench.statistics.bias import FALSE_ALARM_RATE
from xconv_bench.statistics.law import fit_laws

START = Start(DataOptions("photos", samples=512))
CELL = GradientConfiguration(
    "paper/cifar", "xconv", "independent", 32, "rademacher", "conv,relu", "compressed",
    batch_size=16, image_size=32, samples=512,
)  # fmt: skip
LAYERS = {"0", "2", "5", "7", "all"}


def verdicts(cell: GradientConfiguration, repeats: int) -> dict[str, dict[str, Any]]:
    measurement = ErrorMeasurement(cell.extended(ErrorConfiguration, repeats=repeats), START)
    return {row["layer"]: row for row in outcome_of(measurement).rows["error"]}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_passes_the_bias_test(scheme: str) -> None:
    """False alarms: at the rate that the test itself states, one in a million."""
    assert FALSE_ALARM_RATE <= 1e-6
    cell = replace(CELL, scheme=scheme, batch_size=4)
    dial = SCHEMES[scheme].dial
    if dial != "probes":
        cell = replace(cell, probes=None, distribution=None, **{dial: SCHEMES[scheme].default})
    rows = verdicts(cell, repeats=64)
    assert {layer: row["bias_verdict"] for layer, row in rows.items()} == dict.fromkeys(
        LAYERS, "unbiased"
    )


def test_probes_rolled_over_the_flattened_image_fail_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layer has the largest image, hence the smallest share of borders."""
    monkeypatch.setitem(METHODS, "rolled", "rolled_convolution:Rolled")
    rolled = replace(CELL.as_exact(), method="rolled", probes=256)
    rows = verdicts(rolled, repeats=64)
    assert {layer for layer, row in rows.items() if row["bias_verdict"] == "biased"} >= {
        "2", "5", "7", "all"
    }  # fmt: skip
    assert rows["all"]["relative_bias"] > 3 * rows["all"]["relative_bias_noise"]


@pytest.mark.parametrize(
    ("scheme", "most"), [("independent", 32), ("multi", 32), ("orthogonal", 32)]
)
def test_the_variance_falls_as_one_over_the_probes(scheme: str, most: int) -> None:
    """Exponents within 0.1 of -1, from 8 minibatches and 16 seeds in each.

    Over eight other seeds, and 12 minibatches of 25, the exponents of a layer scattered by 0.016,
    about a mean within 0.01 of -1; for orthogonal probes by 0.031, about means of -0.94 to -0.98
    (columns that channels share cost less the fewer there are). The figures here are of one seed,
    always the same.
    """
    rows = []
    for probes in (2, most):
        cell = replace(CELL, scheme=scheme, probes=probes, batch_size=2)
        measurement = cell.extended(VarianceConfiguration, minibatches=8, repeats=16)
        outcome = outcome_of(VarianceMeasurement(measurement, START))
        rows += [
            {**measurement.key, "status": "ok", "message": "", **row}
            for row in outcome.rows["variance"]
        ]
    exponents = {law["layer"]: law["exponent"] for law in fit_laws(rows)}
    assert exponents == dict.fromkeys(LAYERS, pytest.approx(-1, abs=0.1))
