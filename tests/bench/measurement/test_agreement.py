"""Two counts of a step: whether they agree, and what is said of those that do not."""

from dataclasses import replace

import pytest

from xconv_bench.measurement.agreement import disagreement
from xconv_bench.measurement.counting import Count

MIB = 2**20
COUNT = Count(300 * MIB, 200 * MIB, 0, 0, {"aten.mul": 100 * MIB})


@pytest.mark.parametrize("difference", [0, 1, -1])
def test_a_percent_of_what_the_step_takes(difference: int) -> None:
    """Not of the network beside it: a small step of a large network would always agree."""
    assert disagreement(replace(COUNT, peak_bytes=COUNT.peak_bytes - difference * MIB), COUNT) == ""
    other = replace(COUNT, peak_bytes=COUNT.peak_bytes - 2 * MIB)
    assert disagreement(other, COUNT).startswith(
        "simulated 298.00 MiB, in a real step 300.00 MiB: "
    )
    assert disagreement(COUNT, other) != ""


def test_operators_are_named_those_that_differ_most_first() -> None:
    simulated = replace(COUNT, peak_bytes=100 * MIB, allocated_bytes={"a": 9 * MIB, "e": 5})
    live = replace(
        COUNT, allocated_bytes={"a": 8 * MIB, "b": 5 * MIB, "c": 2 * MIB, "d": 1, "e": 5}
    )
    said = disagreement(simulated, live).partition(": ")[2]
    assert said == (
        "b allocates 5.00 MiB, simulated 0 KiB, c allocates 2.00 MiB, simulated 0 KiB, "
        "a allocates 8.00 MiB, simulated 9.00 MiB and 1 more operators differ"
    )


def test_lifetimes_may_differ_alone() -> None:
    said = disagreement(replace(COUNT, peak_bytes=250 * MIB), COUNT)
    assert said.endswith(": the same operators, whose tensors live longer")


def test_small_steps_are_told_apart_too() -> None:
    """Compare two that would both be 0.1 MiB."""
    live = Count(153_088, 60_000, 0, 0, {"a": 4096})
    said = disagreement(replace(live, peak_bytes=152_064, allocated_bytes={"a": 3072}), live)
    assert said == (
        "simulated 148.5 KiB, in a real step 149.5 KiB: a allocates 4 KiB, simulated 3 KiB"
    )
