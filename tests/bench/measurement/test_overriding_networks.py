"""Networks that override methods of torch are measured as the same networks without overrides."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import overriding_networks as networks
import pytest
import torch
from heard import outcome_of

from xconv.contents import named_buffers, parameters
from xconv_bench.configuration import (
    SIMULATED,
    Configuration,
    ErrorConfiguration,
    GradientConfiguration,
)
from xconv_bench.data.sources import DataOptions
from xconv_bench.measurement.comparison import Start
from xconv_bench.measurement.error import ErrorMeasurement
from xconv_bench.measurement.gradient_error import gradient_error
from xconv_bench.measurement.largest_batch import LargestBatch
from xconv_bench.measurement.layers import LayersMeasurement
from xconv_bench.measurement.measure import Measurement
from xconv_bench.measurement.simulated import simulate
from xconv_bench.measurement.starting_weights import StartingWeights
from xconv_bench.measurement.training import prepare
from xconv_bench.results.schema import COLUMNS
from xconv_bench.results.schema.column import Holds

pytestmark = pytest.mark.usefixtures("compiler_as_before")

OVERRIDDEN = ("says_nothing", "refuses")
OVERRIDING = pytest.mark.parametrize("network", OVERRIDDEN)
CELL = Configuration("", batch_size=2, image_size=networks.SIDE)
METHODS = {
    "exact": CELL,
    "xconv": replace(
        CELL, method="xconv", scheme="independent", probes=2, distribution="rademacher",
        compress="conv,relu",
    ),
    "checkpoint": replace(CELL, method="checkpoint"),
    "rad-sampling": replace(CELL, method="rad-sampling", keep=0.1, compress="conv,relu"),
    "quantized": replace(CELL, method="quantized", bits=2, compress="conv,relu"),
    "saved-tensors": replace(CELL, method="saved-tensors", bits=2),
    "dual-precision": replace(
        CELL, method="dual-precision", bits=2, patch=4, compress="conv,relu"
    ),
    "low-rank": replace(CELL, method="low-rank", rank=0.5, compress="conv,relu"),
    "gradient-filter": replace(CELL, method="gradient-filter", patch=2, compress="conv,relu"),
    "offload": replace(CELL, method="offload", device=SIMULATED),
    "compile-budget": replace(CELL, method="compile-budget", budget=0.5),
}  # fmt: skip
EXACT_TO_ROUNDING = 1e-6


@pytest.fixture(autouse=True)
def nothing_compiled() -> Iterator[None]:
    """Compiled kernels are not counted, and what was compiled before is remembered."""
    yield
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()


def of(cell: Any, network: str) -> Any:
    return replace(cell, model=networks.name(network))


def counted(cell: Configuration) -> dict[str, Any]:
    """All readings that are the same in every run."""
    if cell.device == SIMULATED:
        return simulate(cell)
    outcome = outcome_of(Measurement(cell, timed_steps=1))
    return {
        column: value
        for column, value in outcome.readings.items()
        if COLUMNS.get(column) and COLUMNS[column].holds is not Holds.ON_ITS_MACHINE
    }


@pytest.mark.parametrize(
    ("method", "network"),
    # torch.compile itself calls named_parameters.
    [(m, n) for m in METHODS for n in OVERRIDDEN if (m, n) != ("compile-budget", "refuses")],
)
def test_every_method_measures_the_same(method: str, network: str) -> None:
    found, expected = (counted(of(METHODS[method], each)) for each in (network, "plain"))
    error = expected.pop("gradient_relative_error", 0)
    assert found.pop("gradient_relative_error", 0) == pytest.approx(error, abs=EXACT_TO_ROUNDING)
    assert found == expected and expected["convolutions"] == 3


def rows(measurement: Any) -> Any:
    return outcome_of(measurement).rows


@OVERRIDING
def test_errors_layer_by_layer_are_the_same(network: str) -> None:
    """And the noise beside them: with seeds of the estimator, at half precision too."""

    def measured(each: str, dtype: str) -> Any:
        cell = replace(of(METHODS["xconv"], each), dtype=dtype)
        data = {"data": "synthetic", "samples": 4, "repeats": 2}
        start = Start(DataOptions("synthetic", samples=4))
        return rows(ErrorMeasurement(cell.extended(ErrorConfiguration, **data), start))["error"]

    for dtype in ("float32", "bfloat16"):
        assert measured(network, dtype) == measured("plain", dtype)


@OVERRIDING
def test_memory_along_a_step_and_the_largest_batch_are_the_same(network: str) -> None:
    layers = [rows(LayersMeasurement(of(METHODS["exact"], each))) for each in (network, "plain")]
    assert layers[0] == layers[1]
    cells = [of(METHODS["xconv"], each) for each in (network, "plain")]
    found = [next(LargestBatch(cell, 2**18, most=99)()) for cell in cells]
    assert found[0] == found[1] and found[0]["limited_by"] == "memory"


@OVERRIDING
def test_weights_are_trained_and_kept_the_same(network: str, tmp_path: Path) -> None:
    data = DataOptions("synthetic", samples=4)
    written = []
    for each in (network, "plain"):
        cell = of(CELL, each).extended(GradientConfiguration, samples=4, warmup_steps=2)
        path = tmp_path / f"{each}.pt"
        list(StartingWeights(cell, data, download=False, path=path)())
        written.append(torch.load(path, weights_only=True))
    assert written[0].keys() == written[1].keys()
    assert all(tensor.equal(written[1][name]) for name, tensor in written[0].items())


@pytest.mark.parametrize(
    ("network", "dtype"),
    [
        ("Fourier", "float32"),
        ("Fourier", "float64"),
        ("HalfInside", "float32"),
        ("HalfInside", "float64"),
        ("HalfInside", "bfloat16"),
        ("MovesItself", "float64"),
        ("half_outside", "float32"),
    ],
)
def test_parts_of_another_dtype_are_trained(network: str, dtype: str) -> None:
    cell = replace(of(CELL, network), dtype=dtype)
    training = prepare(cell)
    training.step()
    assert all(p.grad is not None and p.grad.dtype == p.dtype for p in parameters(training.model))
    readings = gradient_error(cell)
    assert readings["gradient_relative_error"] == readings["floor_error"] == 0


def test_what_the_network_keeps_in_evaluation_mode_is_measured_so() -> None:
    """Statistics that are not trained stay as they are."""
    training = prepare(of(CELL, "keeps_statistics"))
    training.step()
    assert [b for name, b in named_buffers(training.model) if "tracked" in name] == [0, 0]
