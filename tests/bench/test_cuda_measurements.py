"""The meters and commands of the benchmark on a real GPU."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu.launches import READINGS, Launches
from benchmarks.gpu.workspaces import Breakdown
from xconv_bench.configuration import Configuration
from xconv_bench.launch import Launcher
from xconv_bench.measurement.training import prepare
from xconv_bench.meters.allocator import AllocatorMeter
from xconv_bench.meters.clock import time_steps
from xconv_bench.meters.nvml import NvmlMeter

pytestmark = pytest.mark.cuda

MIB = 2**20
CELL = Configuration("resnet18", device="cuda", batch_size=16, image_size=64)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True)
class Allocates:
    """Takes ``size_bytes`` of the GPU."""

    size_bytes: int

    def __call__(self) -> Iterator[dict[str, Any]]:
        yield {"saved_bytes": 7}
        block = torch.empty(self.size_bytes, dtype=torch.uint8, device="cuda")
        yield {"live_peak_bytes": block.nbytes}


def test_the_allocator_is_read_to_the_byte() -> None:
    torch.zeros(1, device="cuda")
    before = torch.cuda.memory_allocated()
    with AllocatorMeter("cuda") as meter:
        block = torch.empty(64 * MIB, dtype=torch.uint8, device="cuda")
        del block
    assert meter.reading["allocated_peak_bytes"] == before + 64 * MIB
    reserved = meter.reading["reserved_peak_bytes"]
    assert reserved is not None and reserved >= before + 64 * MIB


def test_the_driver_sees_at_least_what_torch_reserves() -> None:
    torch.zeros(1, device="cuda")
    with NvmlMeter("cuda") as meter:
        block = torch.empty(512 * MIB, dtype=torch.uint8, device="cuda")
        torch.cuda.synchronize()
        reserved = torch.cuda.memory_reserved()
    del block
    device = meter.reading["nvml_device_peak_bytes"]
    process = meter.reading["nvml_process_peak_bytes"]
    assert device is not None and device >= reserved
    if process is None:  # a container may hide processes, and then the message says so
        assert "process" in meter.message
    else:
        assert reserved <= process <= device


def test_events_measure_what_the_gpu_does() -> None:
    """A product that is 64 times as large takes longer, though both are launched as quickly."""
    seconds = {}
    for side in (1024, 4096):
        x = torch.randn(side, side, device="cuda", requires_grad=True)
        times = time_steps(
            lambda x=x: (x @ x).sum(), lambda loss: loss.backward(), lambda: None,
            torch.device("cuda"), steps=5, warmup=2,
        )  # fmt: skip
        assert 0 < times["forward_seconds"] <= times["step_seconds"]
        seconds[side] = times["step_seconds"]
    assert seconds[4096] > seconds[1024]


def test_a_row_of_memory_has_all_meters(command: Any, tmp_path: Path) -> None:
    finished = command(
        "memory", "--model", "resnet18", "--batch-size", 16, "--image-size", 64,
        "--device", "cuda", "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0, finished.errors
    for row in rows(tmp_path / "memory.csv"):
        assert row["status"] == "ok"
        names = ("simulated", "live", "allocated", "reserved", "nvml_device")
        simulated, live, allocated, reserved, device = (
            int(row[f"{name}_peak_bytes"]) for name in names
        )
        assert abs(live - simulated) <= 0.01 * simulated
        assert live <= allocated <= reserved <= device
        assert float(row["step_seconds"]) > 0
        assert row["gradient_relative_error"]


def test_running_out_of_memory_is_an_outcome() -> None:
    launcher = Launcher(60)
    outcome = launcher.run(Allocates(2**46), device="cuda")
    assert (outcome.status, outcome.readings) == ("oom", {"saved_bytes": 7})
    assert launcher.run(Allocates(MIB), device="cuda").status == "ok"


def test_the_parts_of_a_peak_add_up() -> None:
    (reading,) = Breakdown(CELL)()
    total = sum(size for *_, size in reading["parts"])
    training = prepare(CELL)
    training.step()
    with AllocatorMeter("cuda") as meter:
        training.step()
    allocated = meter.reading["allocated_peak_bytes"]
    assert allocated is not None and total == pytest.approx(allocated, rel=0.1)
    assert all(size > 0 for *_, size in reading["parts"])


def test_the_launches_of_a_step_are_counted() -> None:
    """18 layers with their norms: at least forward, both gradients and as many norms."""
    found: dict[str, float] = {}
    for reading in Launches(CELL)():
        found |= reading
    assert {*READINGS} <= found.keys()
    assert found["launches"] > 5 * 18 and found["busy_seconds"] > 0


def test_a_layer_is_timed(command: Any, tmp_path: Path) -> None:
    finished = command(
        "runtime", "--model", "conv:16", "--image-size", 32, "--rounds", 5, "--probes", 8,
        "--device", "cuda", "--dtype", "float32,bfloat16", "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0, finished.errors
    found = rows(tmp_path / "runtime.csv")
    assert [row["status"] for row in found] == ["ok"] * 4
    assert all(float(row["step_seconds"]) > 0 for row in found)
