"""The NVML meter reads a driver that works and survives every driver that does not."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from xconv_bench.meters.nvml import NvmlMeter

UUID = "11111111-2222-3333-4444-555555555555"
NEVER = 3600.0  # seconds: an interval after which no test waits, so only the last sample is taken
EMPTY = {
    "nvml_process_peak_bytes": None,
    "nvml_device_peak_bytes": None,
    "nvml_context_bytes": None,
}


class NVMLError(Exception):
    """The root of NVML's errors, as in the bindings."""


class LibraryNotFound(NVMLError): ...


class DriverNotLoaded(NVMLError): ...


class NotSupported(NVMLError): ...


class NoPermission(NVMLError): ...


class NotFound(NVMLError): ...


class InvalidArgument(NVMLError): ...


class LibraryMismatch(Exception):
    """An error of the bindings for an old driver: not an NVMLError."""


@dataclass
class Process:
    """One line of the driver's list of processes."""

    pid: int
    usedGpuMemory: int | None


class FakeNvml(ModuleType):
    """A driver whose answers a test sets; every call that opens or closes is recorded."""

    NVMLError = NVMLError
    NVMLError_LibraryNotFound = LibraryNotFound
    NVMLError_DriverNotLoaded = DriverNotLoaded
    NVMLError_NotSupported = NotSupported
    NVMLError_NoPermission = NoPermission
    NVMLError_NotFound = NotFound
    NVMLError_InvalidArgument = InvalidArgument
    NVMLLibraryMismatchError = LibraryMismatch

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.opened: list[str] = []
        self.handles: list[str] = []
        self.known_uuids = {f"GPU-{UUID}"}
        self.init_error: Exception | None = None
        self.process_error: Exception | None = None
        self.device_error: Exception | None = None
        self.shutdown_error: Exception | None = None
        self.process_bytes: Iterator[int | None] = repeat(500)
        self.device_bytes: Iterator[int] = repeat(2000)
        self.process_id = os.getpid()

    def nvmlInit(self) -> None:
        raise_set(self.init_error)
        self.opened.append("init")

    def nvmlShutdown(self) -> None:
        self.opened.append("shutdown")
        raise_set(self.shutdown_error)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if uuid not in self.known_uuids:
            raise NotFound("Not Found")
        self.handles.append(uuid)
        return uuid

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        self.handles.append(f"index {index}")
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> SimpleNamespace:
        raise_set(self.device_error)
        return SimpleNamespace(used=next(self.device_bytes))

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> list[Process]:
        raise_set(self.process_error)
        return [
            Process(pid=self.process_id + 1, usedGpuMemory=10**9),
            Process(pid=self.process_id, usedGpuMemory=next(self.process_bytes)),
        ]


def raise_set(error: Exception | None) -> None:
    if error is not None:
        raise error


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """A working driver, and a torch that holds 200 bytes on the GPU with the same UUID."""
    nvml = FakeNvml()
    properties = SimpleNamespace(uuid=UUID)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 200)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: properties)
    return nvml


def measure(device: str = "cuda:0", interval_seconds: float = NEVER) -> NvmlMeter:
    with NvmlMeter(device, interval_seconds) as meter:
        pass
    return meter


def test_peaks_and_the_context_are_read(driver: FakeNvml) -> None:
    driver.process_bytes = iter([500, 900])
    driver.device_bytes = iter([2000])

    meter = measure()

    assert meter.reading == {
        "nvml_process_peak_bytes": 900,  # the last sample, taken at stop
        "nvml_device_peak_bytes": 2000,
        "nvml_context_bytes": 300,  # 500 on entry, of which torch holds 200
    }
    assert meter.message == ""
    assert driver.handles == [f"GPU-{UUID}"]
    assert driver.opened == ["init", "shutdown"]


def test_a_peak_that_has_passed_is_kept(driver: FakeNvml) -> None:
    rising = chain([500, 800, 700], repeat(600))
    passed = threading.Event()

    def read_and_tell() -> Iterator[int]:
        for value in rising:
            if value == 600:
                passed.set()
            yield value

    driver.process_bytes = read_and_tell()
    with NvmlMeter("cuda", interval_seconds=0.0) as meter:
        assert passed.wait(timeout=60)

    assert meter.reading["nvml_process_peak_bytes"] == 800


def test_the_sampler_ends_with_the_block(driver: FakeNvml) -> None:
    measure()

    assert "nvml-sampler" not in {thread.name for thread in threading.enumerate()}


def test_cpu_has_nothing_to_read(driver: FakeNvml) -> None:
    meter = measure("cpu")

    assert meter.reading == {}
    assert meter.message == ""
    assert driver.opened == []


def test_missing_bindings_are_a_message(driver: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)

    meter = measure()

    assert meter.reading == EMPTY
    assert "pip install nvidia-ml-py" in meter.message


@pytest.mark.parametrize(
    ("error", "explanation"),
    [
        (LibraryNotFound("NVML Shared Library Not Found"), "libnvidia-ml"),
        (DriverNotLoaded("Driver Not Loaded"), "driver is not loaded"),
        (NVMLError("RM has detected a mismatch"), "RM has detected a mismatch"),
    ],
    ids=["library missing", "driver not loaded", "another error"],
)
def test_a_driver_that_cannot_be_opened_is_a_message(
    driver: FakeNvml, error: NVMLError, explanation: str
) -> None:
    driver.init_error = error

    meter = measure()

    assert meter.reading == EMPTY
    assert explanation in meter.message
    assert "\n" not in meter.message
    assert driver.opened == []  # what was never opened is not closed


@pytest.mark.parametrize("refusal", [NoPermission, NotSupported])
def test_mig_refusing_every_figure_is_one_message(
    driver: FakeNvml, refusal: Callable[[str], NVMLError]
) -> None:
    driver.process_error = driver.device_error = refusal("Insufficient Permissions")

    meter = measure()

    assert meter.reading == EMPTY
    assert meter.message.count("MIG") == 1  # the same reason is not given twice
    assert driver.opened == ["init", "shutdown"]


def test_mig_refusing_the_process_list_leaves_the_device_figure(driver: FakeNvml) -> None:
    driver.process_error = NoPermission("Insufficient Permissions")

    meter = measure()

    assert meter.reading == EMPTY | {"nvml_device_peak_bytes": 2000}
    assert "MIG" in meter.message


def test_a_mig_slice_is_found_by_its_own_uuid(driver: FakeNvml) -> None:
    driver.known_uuids = {f"MIG-{UUID}"}

    meter = measure()

    assert driver.handles == [f"MIG-{UUID}"]
    assert meter.message == ""


def test_a_process_hidden_by_a_container_is_a_message(driver: FakeNvml) -> None:
    driver.process_id = os.getpid() + 1000

    meter = measure()

    assert meter.reading == EMPTY | {"nvml_device_peak_bytes": 2000}
    assert "--pid=host" in meter.message
    assert driver.opened == ["init", "shutdown"]


def test_an_empty_process_list_is_a_message(
    driver: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "nvmlDeviceGetComputeRunningProcesses", lambda handle: [])

    meter = measure()

    assert meter.reading == EMPTY | {"nvml_device_peak_bytes": 2000}
    assert "does not list this process" in meter.message


def test_another_process_with_this_process_id_is_not_believed(driver: FakeNvml) -> None:
    driver.process_bytes = repeat(199)  # less than the 200 that torch holds

    meter = measure()

    assert meter.reading == EMPTY | {"nvml_device_peak_bytes": 2000}
    assert "another process's" in meter.message


def test_memory_that_is_not_counted_by_process_is_a_message(driver: FakeNvml) -> None:
    driver.process_bytes = repeat(None)

    meter = measure()

    assert meter.reading == EMPTY | {"nvml_device_peak_bytes": 2000}
    assert "does not count memory by process" in meter.message


def test_a_driver_older_than_the_bindings_is_a_message(driver: FakeNvml) -> None:
    driver.process_error = LibraryMismatch("use a versioned function")

    meter = measure()

    assert meter.reading == EMPTY | {"nvml_device_peak_bytes": 2000}
    assert "use a versioned function" in meter.message


@pytest.mark.parametrize(
    ("visible", "handle"),
    [(None, "index 1"), ("4,7", "index 7"), ("GPU-a,GPU-b", "GPU-b"), ("", "index 1")],
    ids=["all visible", "integers", "uuids", "empty"],
)
def test_without_a_known_uuid_the_visible_index_is_used(
    driver: FakeNvml, monkeypatch: pytest.MonkeyPatch, visible: str | None, handle: str
) -> None:
    driver.known_uuids = {"GPU-b"}
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    meter = measure("cuda:1")

    assert driver.handles == [handle]
    assert "found by its index" in meter.message
    assert meter.reading["nvml_process_peak_bytes"] == 500


def test_a_gpu_that_the_driver_does_not_know_is_a_message(
    driver: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.known_uuids = set()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a")

    meter = measure()

    assert meter.reading == EMPTY
    assert "cannot be read (Not Found)" in meter.message
    assert driver.opened == ["init", "shutdown"]


def test_nvml_is_closed_when_the_block_fails(driver: FakeNvml) -> None:
    with pytest.raises(RuntimeError, match="out of memory"), NvmlMeter("cuda", NEVER) as meter:
        raise RuntimeError("out of memory")

    assert meter.reading["nvml_process_peak_bytes"] == 500
    assert driver.opened == ["init", "shutdown"]


def test_nvml_is_closed_when_the_start_fails(
    driver: FakeNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(device: torch.device) -> None:
        raise RuntimeError("CUDA error")

    monkeypatch.setattr(torch.cuda, "synchronize", fail)

    with pytest.raises(RuntimeError, match="CUDA error"):
        measure()

    assert driver.opened == ["init", "shutdown"]


def test_a_driver_that_cannot_close_keeps_the_reading(driver: FakeNvml) -> None:
    driver.shutdown_error = NVMLError("Unknown Error")

    meter = measure()

    assert meter.reading["nvml_device_peak_bytes"] == 2000
