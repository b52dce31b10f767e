"""Exact is exact: the exact gradient does not differ from itself, or the row says that it does."""

import random
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import stateful_networks as networks
import torch
from heard import outcome_of

from xconv_bench.configuration import (
    AverageErrorConfiguration,
    Configuration,
    ErrorConfiguration,
    GradientConfiguration,
    VarianceConfiguration,
)
from xconv_bench.data.sources import DataOptions
from xconv_bench.measurement.average_error import AverageErrorMeasurement
from xconv_bench.measurement.comparison import GradientComparison, Start
from xconv_bench.measurement.error import ErrorMeasurement
from xconv_bench.measurement.gradient_error import gradient_error
from xconv_bench.measurement.measure import Measurement
from xconv_bench.measurement.repeatable_step import Floor, words_on_losses
from xconv_bench.measurement.training import prepare
from xconv_bench.measurement.variance import VarianceMeasurement
from xconv_bench.models import own

CELL = GradientConfiguration(
    "", "xconv", "independent", 2, "rademacher", "conv", "compressed",
    batch_size=2, image_size=networks.SIDE, data="synthetic", samples=4,
)  # fmt: skip
PROBED = CELL.extended(ErrorConfiguration, repeats=2)
START = Start(DataOptions("synthetic", samples=4))

RELUS: dict[str, Any] = {
    "scheme": None, "probes": None, "distribution": None, "compress": "relu",
}  # fmt: skip

restored = pytest.mark.parametrize("network", [kind.__name__ for kind in networks.RESTORED])


def memory_cell(network: str, cell: Any = PROBED) -> Configuration:
    knobs = (cell.method, cell.scheme, cell.probes, cell.distribution, cell.compress, cell.first)
    size = {"batch_size": 2, "image_size": networks.SIDE, "dtype": cell.dtype}
    return Configuration(networks.name(network), *knobs, **size)


@restored
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_gradient_is_the_same_however_often_it_is_computed(network: str, dtype: str) -> None:
    compared = GradientComparison(replace(PROBED, model=networks.name(network), dtype=dtype), START)
    compared.learn([[0, 1]])
    batch = compared.samples.batch([0, 1])
    first = compared.exact(batch, 0)
    estimate = next(compared.estimates(batch, 0, 1))
    assert compared.floor(first, batch, 0).error == 0
    again = next(compared.estimates(batch, 0, 1))
    assert all(again[layer].equal(gradient) for layer, gradient in estimate.items())


@restored
def test_two_networks_that_are_built_alike_have_the_same_gradient(network: str) -> None:
    """ReLUs of one bit change no gradient, but make another network than the exact one."""
    cell = replace(PROBED, model=networks.name(network), **RELUS)
    rows = outcome_of(ErrorMeasurement(cell, START)).rows["error"]
    assert [row["relative_error"] for row in rows] == [0.0] * len(rows)
    assert [row["floor_error"] for row in rows] == [0.0] * len(rows)


@restored
@pytest.mark.parametrize("method", ["exact", "relus"])
def test_the_memory_command_compares_the_same_states(network: str, method: str) -> None:
    cell = PROBED.as_exact() if method == "exact" else replace(PROBED, **RELUS)
    prepare(memory_cell(network, cell)).step()
    readings = gradient_error(memory_cell(network, cell))
    assert readings == {"gradient_relative_error": 0, "floor_error": 0, "message": ""}


@pytest.mark.parametrize(
    "network", ["GlobalGenerators", "OwnGenerators", "NewGenerators", "DrawnStructure"]
)
def test_one_seed_repeats_bytes_and_errors(network: str) -> None:
    """Whatever the generators have drawn before."""
    columns = ("gradient_relative_error", "saved_bytes", "live_peak_bytes", "parameters")

    def measured(seed: int) -> list[Any]:
        own._run_file.cache_clear()  # as in a new process
        cell = replace(memory_cell(network), seed=seed)
        readings = outcome_of(Measurement(cell, timed_steps=1)).readings
        return [readings[column] for column in columns]

    first = measured(0)
    random.seed()
    np.random.seed()
    torch.seed()
    assert measured(0) == first
    assert measured(1) != first


def test_masks_differ_from_minibatch_to_minibatch_and_not_from_method_to_method() -> None:
    cell = replace(PROBED, model=networks.name("OwnGenerators"))
    exact, probed = (GradientComparison(each, START) for each in (cell.as_exact(), cell))
    batch = exact.samples.batch([0, 1])
    of_exact, of_probed = ([c.exact(batch, n)["last"] for n in (0, 1)] for c in (exact, probed))
    assert not of_exact[0].equal(of_exact[1])
    assert all(one.equal(other) for one, other in zip(of_exact, of_probed, strict=True))


@pytest.mark.parametrize(
    ("network", "named"), [("Entropy", ""), ("OneWay", r", such as stream \(a generator\),")]
)
def test_what_cannot_be_put_back_is_said_beside_every_error(network: str, named: str) -> None:
    said = (
        r"the exact gradient differs from itself by \S+ \(floor_error\): the network holds "
        rf"something{named} that can neither be put back nor seeded; errors below that say nothing"
    )
    cell = replace(CELL, model=networks.name(network))
    error = outcome_of(ErrorMeasurement(cell.extended(ErrorConfiguration, repeats=2), START))
    assert all(row["floor_error"] > 1e-4 for row in error.rows["error"])
    memory = outcome_of(Measurement(memory_cell(network, cell.as_exact()), timed_steps=1))
    assert memory.readings["floor_error"] > 1e-4 < memory.readings["gradient_relative_error"]
    variance = VarianceMeasurement(cell.extended(VarianceConfiguration, minibatches=2), START)
    average = AverageErrorMeasurement(cell.extended(AverageErrorConfiguration), START, 2)
    for message in (
        error.message,
        memory.message,
        outcome_of(variance).message,
        outcome_of(average).message,
    ):
        assert re.search(said, message)


def test_networks_that_are_not_built_alike_are_noticed() -> None:
    cell = replace(PROBED, model=networks.name("BuiltOtherwise"))
    said = "the two networks are not the same, and the gradient error is not the method's alone"
    assert said in outcome_of(ErrorMeasurement(cell, START)).message
    assert said in outcome_of(Measurement(memory_cell("BuiltOtherwise"), timed_steps=1)).message


def test_rounding_is_called_rounding() -> None:
    gradient = torch.ones(1000)
    again = gradient + 1e-6 * torch.arange(1000).remainder(2)
    floor = Floor({"a": gradient}, {"a": again})
    assert floor.words().endswith("(floor_error): kernels add in another order each time")
    assert floor.of("a") == floor.of("all") == pytest.approx(1e-6 / 2**0.5, rel=0.1)
    assert Floor({"a": gradient}, {"a": gradient}).words() == ""


def test_losses_are_the_same_to_rounding() -> None:
    assert words_on_losses(1.0, 1.001, torch.float32) == ""
    assert words_on_losses(1.0, 1.1, torch.bfloat16) == ""
    assert words_on_losses(0.0, 0.0, torch.float32) == ""
    assert "the loss is 1.1, that of exact 1" in words_on_losses(1.0, 1.1, torch.float32)
