"""Methods of other papers in every kind of measurement: counted, compared, judged and trained.

The bias tests have the rate of false alarms of ``error --bias-test``, one in a million.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from compressed_cases import DIALS, cell_of
from heard import outcome_of
from own_networks import name
from tiny_task import MakeStripes

from xconv_bench.configuration import (
    Configuration,
    ErrorConfiguration,
    TrainingConfiguration,
)
from xconv_bench.data.sources import DataOptions
from xconv_bench.measurement.agreement import disagreement
from xconv_bench.measurement.comparison import Start
from xconv_bench.measurement.counting import count
from xconv_bench.measurement.error import ErrorMeasurement
from xconv_bench.measurement.largest_batch import LargestBatch
from xconv_bench.measurement.simulated import COUNT, simulate
from xconv_bench.measurement.task_training import TaskTraining
from xconv_bench.measurement.training import prepare

METHODS = sorted(DIALS)
LAYERED = [method for method in METHODS if method != "saved-tensors"]
each = pytest.mark.parametrize("method", METHODS)

NETWORKS = """
from torch import nn

def straight():
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1),
        nn.Conv2d(6, 4, 3, stride=2, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )

def bent():
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(),
        nn.Conv2d(6, 4, 3, stride=2, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )

def deep():
    layers = [nn.Conv2d(6, 6, 3, padding=1) if n % 2 else nn.ReLU() for n in range(12)]
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), *layers)
"""


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    path = tmp_path / "networks.py"
    path.write_text(NETWORKS)
    return path


def assert_simulated_as_live(cell: Configuration) -> dict[str, Any]:
    simulated, training = simulate(cell), prepare(cell)
    training.step()
    live = count(training)
    assert disagreement(simulated[COUNT], live) == ""
    assert simulated["saved_bytes"] == live.saved_bytes
    return simulated


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("network", ["normalized", "residual"])
@each
def test_simulated_as_in_a_real_step(method: str, network: str, dtype: str) -> None:
    columns = {"batch_size": 8, "image_size": 24, "dtype": dtype}
    cell = cell_of(method, name(network), **columns)
    if method != "saved-tensors" and network == "normalized":
        cell = replace(cell, compress="conv,relu,norm", norm_bits=4)
    found = assert_simulated_as_live(cell)
    assert found["saved_bytes"] < simulate(cell.as_exact())["saved_bytes"]


@pytest.mark.parametrize("method", LAYERED)
def test_checkpointed_as_in_a_real_step(method: str) -> None:
    cell = cell_of(method, name("normalized"), batch_size=8, image_size=24)
    assert_simulated_as_live(replace(cell, method=f"{method}+checkpoint"))


@each
def test_a_larger_batch_fits(method: str, networks: Path) -> None:
    cell = cell_of(method, f"{networks}:deep", batch_size=4, image_size=32)
    sizes = [
        outcome_of(LargestBatch(each, 2**23, most=999)).readings["max_batch_size"]
        for each in (cell, cell.as_exact())
    ]
    assert sizes[0] > sizes[1] > 1


VERDICTS = {
    # Layers of the network without ReLUs, then of the one with.
    "saved-tensors": (["exact", "unbiased", "unbiased"], ["biased", "biased", "unbiased"]),
    "dual-precision": (["exact", "unbiased", "unbiased"], ["exact", "unbiased", "unbiased"]),
    "low-rank": (["exact", "biased", "biased"], ["exact", "biased", "biased"]),
    "gradient-filter": (["biased", "biased", "biased"], ["biased", "biased", "biased"]),
}


@pytest.mark.parametrize(("number", "network"), [(0, "straight"), (1, "bent")])
@each
def test_whether_it_is_biased(method: str, network: str, number: int, networks: Path) -> None:
    cell = cell_of(method, f"{networks}:{network}", batch_size=4, image_size=24)
    measured = cell.extended(ErrorConfiguration, data="synthetic", samples=16, repeats=64)
    start = Start(DataOptions("synthetic", samples=16))
    outcome = outcome_of(ErrorMeasurement(measured, start))
    *layers, whole = outcome.rows["error"]
    expected = VERDICTS[method][number]
    assert [row["bias_verdict"] for row in layers] == expected
    assert whole["bias_verdict"] == ("biased" if "biased" in expected else "unbiased")
    assert 0 < whole["relative_error"] < 1.5
    assert ("biased" in outcome.message) == (method != "dual-precision")


def losses_of(cell: TrainingConfiguration, folder: Path) -> list[float]:
    work = TaskTraining(cell, MakeStripes(cell.seed), folder / "a.pt", folder / "pictures")
    return [row["loss"] for row in outcome_of(work).rows["training"] if "loss" in row]


@each
def test_it_trains_as_the_exact_network_does(method: str, tmp_path: Path) -> None:
    """Not quite: batch, dropout and weights are the same, gradients are not."""
    cell = TrainingConfiguration(
        "tiny", method, task="stripes", data="stripes", batch_size=8, image_size=12,
        learning_rate=0.01, epochs=3, **DIALS[method],
    )  # fmt: skip
    found, exact = losses_of(cell, tmp_path), losses_of(cell.as_exact(), tmp_path / "exact")
    assert len(found) == 3 and found != exact
    assert found == pytest.approx(exact, abs=0.05)


def test_all_of_them_on_the_frontier(command: Any, networks: Path, tmp_path: Path) -> None:
    finished = command(
        "frontier", "--model", f"{networks}:bent", "--image-size", 16, "--data", "synthetic",
        "--samples", 8, "--batch-size", 2, "--method", ",".join(METHODS), "--bits", 2,
        "--repeats", 2, "--rounds", 1, "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "frontier.csv").set_index("method")
    assert sorted(table.index) == METHODS
    assert set(table.status) == {"ok"}
    assert (table.relative_error[METHODS] > 0).all() and (table.peak_bytes[METHODS] > 0).all()
    assert dict(table.patch.dropna()) == {"dual-precision": 8, "gradient-filter": 2}
    assert dict(table["rank"].dropna()) == {"low-rank": 0.5}
    assert dict(table.bits.dropna()) == {"dual-precision": 2, "saved-tensors": 2}
