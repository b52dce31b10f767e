"""The moments of a step, simulated and computed: their peak is the peak of the step."""

from dataclasses import replace
from typing import Any

import pytest
from heard import outcome_of
from own_networks import name

from xconv_bench.configuration import Configuration
from xconv_bench.measurement.layers import LayersMeasurement
from xconv_bench.measurement.simulated import simulate

CELL = Configuration(name("normalized"), batch_size=4, image_size=12)
METHODS = {
    "exact": CELL,
    "xconv": replace(CELL, method="xconv", scheme="multi", probes=2, distribution="rademacher",
                     compress="conv,relu"),
    "checkpoint": replace(CELL, method="checkpoint"),
    "quantized": replace(CELL, method="quantized", bits=2, compress="conv,relu"),
}  # fmt: skip


def measure(cell: Configuration) -> list[dict[str, Any]]:
    return outcome_of(LayersMeasurement(cell)).rows["layers"]


@pytest.mark.parametrize("cell", METHODS.values(), ids=METHODS)
def test_the_highest_moment_is_the_peak_of_the_step(cell: Configuration) -> None:
    rows = measure(replace(cell, device="simulated"))
    assert max(row["layer_peak_bytes"] for row in rows) == simulate(cell)["simulated_peak_bytes"]
    assert [row["position"] for row in rows] == list(range(len(rows)))
    assert measure(cell) == rows  # computed, the same is counted


def test_the_start_is_what_is_there_before() -> None:
    """Weights and their gradients, buffers and the batch, in blocks of 512 bytes."""
    rows = measure(replace(CELL, device="simulated"))
    assert {row["start_bytes"] for row in rows} == {rows[0]["start_bytes"]}
    assert rows[-1]["layer"] == "end"
    # The gradients are there again; the batch and all else is as before.
    assert rows[-1]["layer_bytes"] - rows[0]["start_bytes"] in (0, 512)


def test_only_checkpointing_computes_again() -> None:
    phases = {method: {row["phase"] for row in measure(cell)} for method, cell in METHODS.items()}
    assert phases["exact"] == phases["xconv"] == {"forward", "backward"}
    assert "recompute" in phases["checkpoint"]
