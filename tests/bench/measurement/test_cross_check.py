"""One cheap real step, and what it says of the simulation."""

from dataclasses import replace
from typing import Any

import pytest
from heard import outcome_of
from own_networks import name

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.measurement import cross_check
from xconv_bench.measurement.cross_check import CrossCheck

LARGE = Configuration("", batch_size=10**6, image_size=4096, device=SIMULATED)
METHODS = {
    "exact": LARGE,
    "xconv": replace(
        LARGE, method="xconv", scheme="multi", probes=2, distribution="rademacher",
        compress="conv,relu",
    ),
    "checkpoint": replace(LARGE, method="checkpoint"),
    "offload": replace(LARGE, method="offload"),
    "quantized": replace(LARGE, method="quantized", bits=2, compress="conv,relu"),
    "xconv+checkpoint": replace(
        LARGE, method="xconv+checkpoint", scheme="spectral", bits=0.5, norm_bits=4,
        compress="conv,relu,pool,act,dropout,norm,linear,functions",
    ),
}  # fmt: skip


def checked(network: str, configuration: Configuration = LARGE) -> dict[str, Any]:
    outcome = outcome_of(CrossCheck(replace(configuration, model=network)))
    return {**outcome.readings, **({"message": outcome.message} if outcome.message else {})}


@pytest.mark.parametrize("method", METHODS)
def test_no_doubt(method: str) -> None:
    """Whatever the sizes of the cell, the step is small."""
    assert checked(name("normalized"), METHODS[method]) == {"doubt": ""}


def test_a_recurrent_network_is_simulated_well() -> None:
    assert checked(name("recurrent")) == {"doubt": ""}


def test_the_operator_whose_fake_is_wrong_is_named() -> None:
    doubt = checked(name("keeps_all"))["doubt"]
    assert "xconv_bench_tests.keep_all allocates" in doubt
    assert doubt.endswith("(batch 8, 32 px on the CPU)")


def test_the_step_is_of_a_size_that_the_network_takes() -> None:
    """One takes batches of five alone, one no image below 100 pixels."""
    fives = replace(LARGE, batch_size=5)
    assert checked(name("batches_of_five"), fives) == {"doubt": ""}
    assert checked(name("large_images")) == {"doubt": ""}


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ("MOST_BYTES", 2**10, "a small step takes more than 0 MiB"),
        ("_MOST_OPERATIONS", 10, "a small step would take too long"),
        ("_MOST_NETWORK_BYTES", 10, "the network alone takes 0.0 GiB"),
    ],
)
def test_a_step_that_is_not_cheap_is_not_made(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int, said: str
) -> None:
    monkeypatch.setattr(cross_check, limit, value)
    monkeypatch.setattr(cross_check, "prepare", None)
    assert checked(name("normalized")) == {"message": f"not cross-checked: {said}"}


def test_what_no_size_can_simulate_is_raised() -> None:
    small = replace(LARGE, image_size=32, batch_size=2)
    with pytest.raises(Exception, match=r"_local_scalar_dense"):
        checked(name("reads_itself"), small)
