"""``--snapshot``: the memory of a step over time, as Perfetto and torch's viewer read it."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from heard import outcome_of
from own_networks import name

from xconv_bench.configuration import SIMULATED, Configuration, MemoryConfiguration
from xconv_bench.errors import UsageError
from xconv_bench.experiments import snapshots
from xconv_bench.interface import function
from xconv_bench.measurement import timeline
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.timeline import CudaSnapshot, SimulatedTrace

CELL = Configuration(name("normalized"), batch_size=2, image_size=16, device=SIMULATED)
XCONV = Configuration(
    name("normalized"), "xconv", "spectral", compress="conv,relu", first="exact", allot="network",
    bits=0.5, batch_size=2, image_size=16, device=SIMULATED,
)  # fmt: skip
REQUIRED = {
    "M": {"args"},
    "C": {"args", "ts"},
    "X": {"ts", "dur", "tid"},
    "b": {"ts", "cat", "id", "args"},
    "e": {"ts", "cat", "id"},
}
"""Keys that the Trace Event Format wants, by the phase of an event."""


def check_trace_format(content: dict[str, Any]) -> None:
    """Check a trace against the Trace Event Format (JSON object, phases M, C, X, b and e)."""
    assert set(content) <= {"traceEvents", "displayTimeUnit", "otherData"}
    assert content["displayTimeUnit"] in ("ms", "ns")
    opened: Counter[tuple[Any, ...]] = Counter()
    ends: dict[tuple[int, int], list[int]] = {}
    for event in content["traceEvents"]:
        assert {"ph", "name", "pid"} <= set(event) and REQUIRED[event["ph"]] <= set(event), event
        assert isinstance(event["name"], str) and isinstance(event["pid"], int)
        assert isinstance(event["ts"], int) and event["ts"] >= 0
        if event["ph"] == "C":
            assert all(isinstance(value, int) for value in event["args"].values())
        if event["ph"] == "X":  # slices of a thread nest, or lie one after the other
            assert event["dur"] > 0
            open_ones = ends.setdefault((event["pid"], event["tid"]), [])
            while open_ones and open_ones[-1] <= event["ts"]:
                open_ones.pop()
            assert not open_ones or event["ts"] + event["dur"] <= open_ones[-1]
            open_ones.append(event["ts"] + event["dur"])
        if event["ph"] in "be":
            key = (event["pid"], event["cat"], event["id"], event["name"])
            opened[key] += 1 if event["ph"] == "b" else -1
            assert opened[key] in (0, 1)
    assert not any(opened.values())


@pytest.mark.parametrize("cell", [CELL, XCONV], ids=["exact", "xconv"])
def test_a_trace_has_the_peak_every_tensor_and_every_layer(
    cell: Configuration, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "trace.json"
    outcome_of(SimulatedTrace(cell, path))
    content = json.loads(path.read_text())
    check_trace_format(content)
    events = content["traceEvents"]
    counted = Simulation(cell).count(cell.batch_size)
    levels = [event["args"]["bytes"] for event in events if event["ph"] == "C"]
    assert [event["ts"] for event in events if event["ph"] == "C"] == list(range(len(levels)))
    assert max(levels) == counted.peak_bytes
    # What the slices hold at each moment is what the counter says.
    changes = [0] * (len(levels) + 1)
    sizes = {event["id"]: event["args"]["bytes"] for event in events if event["ph"] == "b"}
    for event in events:
        if event["ph"] in "be":
            changes[event["ts"]] += sizes[event["id"]] * (1 if event["ph"] == "b" else -1)
    total = 0
    for level, change in zip(levels, changes[:-1], strict=True):
        total += change
        assert total == level
    before = [e for e in events if e["ph"] == "b" and e["name"] in ("weights and buffers", "batch")]
    assert sum(event["args"]["bytes"] for event in before) < counted.start_bytes
    phases = {event["args"].get("phase") for event in events if event["ph"] == "b"}
    assert {"forward", "backward"} <= phases
    layers = {event["name"] for event in events if event["ph"] == "X"}
    assert {"0", "1", "loss"} <= layers


def test_another_format_would_be_refused() -> None:
    good = {"ph": "X", "name": "a", "pid": 1, "tid": 1, "ts": 0, "dur": 4}
    for bad in (
        [{**good, "ph": "b", "cat": "t", "id": 1, "args": {}}],
        [good, {**good, "ts": 2, "dur": 4}],
        [{**good, "dur": 0}],
        [{"ph": "C", "name": "a", "pid": 1, "ts": 0}],
    ):
        with pytest.raises(AssertionError):
            check_trace_format({"traceEvents": bad, "displayTimeUnit": "ms"})


def test_the_row_s_peak_is_that_of_its_trace(command: Callable[..., Any], tmp_path: Path) -> None:
    words = ("memory", "--model", "conv:2", "--method", "exact", "--image-size", 8, "--batch-size",
             2, "--simulate", "--no-cross-check", "--output", tmp_path, "--snapshot")  # fmt: skip
    finished = command(*words)
    assert finished.code == 0, finished.errors
    (path,) = (tmp_path / "snapshots").iterdir()
    assert f"written: {path}" in finished.output
    content = json.loads(path.read_text())
    check_trace_format(content)
    peak = max(e["args"]["bytes"] for e in content["traceEvents"] if e["ph"] == "C")
    assert list(pd.read_csv(tmp_path / "memory.csv").simulated_peak_bytes) == [peak]
    written = path.stat().st_mtime_ns
    again = command(*words)
    assert again.code == 0 and f"written: {path}" in again.output
    assert path.stat().st_mtime_ns == written


def test_from_python_a_folder_is_needed() -> None:
    with pytest.raises(UsageError, match="give output="):
        function("memory")("conv:2", simulate=True, snapshot=True)


class FakeMemory:
    """Stands for ``torch.cuda.memory``."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def _record_memory_history(self, enabled: str | None = "all", **more: Any) -> None:
        self.calls.append("stop" if enabled is None else "record")

    def _dump_snapshot(self, path: str) -> None:
        self.calls.append("dump")
        Path(path).write_bytes(b"snapshot")


class Steps:
    def __init__(self, calls: list[str], fails: bool) -> None:
        self._calls = calls
        self._fails = fails

    def step(self) -> None:
        self._calls.append("step")
        if self._fails:
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("fails", [False, True])
def test_a_snapshot_of_a_gpu_is_dumped_also_where_memory_runs_out(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = FakeMemory()
    monkeypatch.setattr(torch.cuda, "memory", memory)
    monkeypatch.setattr(timeline, "prepare", lambda cell: Steps(memory.calls, fails))
    path = tmp_path / "new" / "snapshot.pickle"
    work = CudaSnapshot(MemoryConfiguration("tiny", device="cuda"), path)
    if fails:
        with pytest.raises(torch.OutOfMemoryError):
            outcome_of(work)
        assert memory.calls == ["record", "step", "dump", "stop"]
    else:
        outcome_of(work)
        assert memory.calls == ["record", "step", "step", "dump", "stop"]
    assert path.read_bytes() == b"snapshot"


def test_a_gpu_has_a_snapshot_and_all_else_a_trace(tmp_path: Path) -> None:
    work = {
        device: snapshots._work(MemoryConfiguration("tiny", device=device), tmp_path)
        for device in ("cuda", "cuda:1", "cpu", SIMULATED)
    }
    kinds = {device: type(each) for device, each in work.items()}
    assert kinds == {
        "cuda": CudaSnapshot, "cuda:1": CudaSnapshot, "cpu": SimulatedTrace,
        SIMULATED: SimulatedTrace,
    }  # fmt: skip
    paths = {snapshots._path(tmp_path, MemoryConfiguration("t", device=d)).suffix for d in work}
    assert paths == {".pickle", ".json"}


@pytest.mark.cuda
def test_torch_s_viewer_gets_a_snapshot_of_a_real_gpu(tmp_path: Path) -> None:
    import pickle

    path = tmp_path / "snapshot.pickle"
    cell = MemoryConfiguration("conv:4", device="cuda", batch_size=2, image_size=16)
    outcome_of(CudaSnapshot(cell, path))
    content = pickle.loads(path.read_bytes())
    assert {"segments", "device_traces"} <= set(content)
    assert any(content["device_traces"])
