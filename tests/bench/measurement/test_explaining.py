"""Who keeps what adds up to ``saved_bytes``, and what is there at the peak to the peak."""

from dataclasses import replace
from unittest.mock import patch

import pytest
from heard import outcome_of
from own_networks import name

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.explanation import Explanation
from xconv_bench.measurement.explaining import EXPLANATION, Explaining
from xconv_bench.measurement.measure import Measurement
from xconv_bench.measurement.simulated import simulate

ALL = "conv,relu,pool,act,dropout,norm,linear,functions"
EXACT = Configuration(name("normalized"), batch_size=4, image_size=12, device=SIMULATED)
ALONE = {
    "exact": EXACT,
    "xconv": replace(EXACT, method="xconv", scheme="spectral", bits=0.5, compress=ALL,
                     first="exact", allot="network", norm_bits=4),
    "checkpoint": replace(EXACT, method="checkpoint"),
}  # fmt: skip
METHODS = {**ALONE, "xconv+checkpoint": replace(ALONE["xconv"], method="xconv+checkpoint")}


def explained(cell: Configuration) -> Explanation:
    (readings,) = Explaining(cell)()
    found = readings[EXPLANATION]
    assert isinstance(found, Explanation)
    return found


def families(found: Explanation) -> set[str]:
    return {held.family for held in found.held}


@pytest.mark.parametrize("method", METHODS)
def test_simulated_parts_add_up(method: str) -> None:
    found, row = explained(METHODS[method]), simulate(METHODS[method])
    assert found.saved_bytes == row["saved_bytes"]
    assert found.peak is not None and found.peak.bytes == row["simulated_peak_bytes"]
    assert sum(found.peak.parts.values()) == found.peak.bytes
    assert min(found.peak.parts.values()) >= 0
    assert ("checkpoint" in families(found)) == ("checkpoint" in method)
    kept = [held.saved_bytes for held in found.held]
    assert kept == sorted(kept, reverse=True)


@pytest.mark.parametrize("method", METHODS)
def test_really_run_they_add_up(method: str) -> None:
    cell = replace(METHODS[method], device="cpu")
    found = explained(cell)
    rows = outcome_of(Measurement(cell, timed_steps=1)).readings
    assert found.saved_bytes == rows["saved_bytes"]
    assert found.peak is not None and found.peak.bytes == rows["live_peak_bytes"]
    assert sum(found.peak.parts.values()) == found.peak.bytes


def test_real_and_simulated_are_the_same() -> None:
    assert explained(EXACT) == explained(replace(EXACT, device="cpu"))


def test_a_network_that_calls_functions() -> None:
    cell = replace(EXACT, model=name("detector"))
    found = explained(cell)
    assert found.saved_bytes == simulate(cell)["saved_bytes"]
    assert "functions" in families(found)


def test_the_loss_and_the_batch_have_a_place() -> None:
    found = explained(EXACT)
    assert "loss" in families(found)
    first = next(held for held in found.held if held.layer == "0")
    assert first.saved_bytes == 4 * 4 * 3 * 12**2  # the batch, which the first convolution saves
    assert found.peak is not None and found.peak.parts["gradients of the weights"] > 0


def test_what_is_offloaded_is_nowhere_here() -> None:
    found = explained(replace(EXACT, method="offload"))
    assert families(found) <= {"loss"} and found.peak is not None


def test_what_is_compiled_saves_unseen() -> None:
    with pytest.raises(Unsupported, match="compile-budget is compiled"):
        list(Explaining(replace(EXACT, method="compile-budget", device="cpu"))())
    with (
        patch("xconv_bench.measurement.explaining.has_compiled", lambda: True),
        pytest.raises(Unsupported, match="the network is compiled"),
    ):
        list(Explaining(replace(EXACT, device="cpu"))())
