"""Peak bytes that the NVIDIA driver counts for this process and for its GPU, sampled by a thread.

These figures include what torch's allocator cannot see: the CUDA context, the libraries' own
memory, cached and fragmented blocks. They stand beside the allocator's and are never added to it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from threading import Event, Thread
from types import ModuleType, TracebackType
from typing import Any

import torch

NVML_COLUMNS = ("nvml_process_peak_bytes", "nvml_device_peak_bytes", "nvml_context_bytes")

HIDDEN_PROCESS = (
    "the driver does not list this process (a container with process ids of its own hides it: "
    "start the container with --pid=host)"
)
UNCOUNTED_PROCESS = "the driver does not count memory by process on this GPU"
OTHER_PROCESS = (
    "the driver counts less for this process id than torch holds, so the id is another process's "
    "(a container with process ids of its own: start it with --pid=host)"
)


class NvmlMeter:
    """Sample the driver's count of used GPU memory while a block runs.

    ``nvml_process_peak_bytes`` is this process's, ``nvml_device_peak_bytes`` the whole GPU's with
    other processes and the driver's own reserve. ``nvml_context_bytes`` is what the process uses
    beyond torch's allocator, read once on entry with the GPU idle: CUDA context and libraries.

    A missing driver, a GPU split by MIG or a process list hidden by a container gives None in the
    columns concerned and one line in ``message``. Device other than CUDA: an empty reading. A
    peak shorter than ``interval_seconds`` can be missed where its memory goes back to the driver
    at once; torch's allocator keeps what it took, so its peaks are seen.
    """

    def __init__(self, device: torch.device | str, interval_seconds: float = 0.002) -> None:
        self.reading: dict[str, int | None] = {}
        self.message = ""
        self._device = torch.device(device)
        self._interval_seconds = interval_seconds
        self._gauges: dict[str, _Gauge] = {}
        self._problems: list[str] = []
        self._open = ExitStack()

    def __enter__(self) -> NvmlMeter:
        if self._device.type == "cuda":
            self.reading = dict.fromkeys(NVML_COLUMNS)
            with ExitStack() as opening:
                self._start(opening)
                self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
        for column, gauge in self._gauges.items():
            self.reading[column] = gauge.peak_bytes
            if gauge.peak_bytes is None:
                self._problems.append(gauge.problem)
        if self._problems:
            self.message = "nvml: " + "; ".join(dict.fromkeys(self._problems))

    def _start(self, opening: ExitStack) -> None:
        """Open NVML and start the sampler; what must be closed again is pushed on ``opening``."""
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            self._problems.append("pynvml is missing; install it with: pip install nvidia-ml-py")
            return
        try:
            nvml.nvmlInit()
            opening.callback(_shut_down, nvml)
            handle = self._find_handle(nvml)
        except nvml.NVMLError as error:
            self._problems.append(_explain(nvml, error))
            return
        process = _Gauge(nvml, lambda: _process_bytes(nvml, handle, os.getpid()))
        device = _Gauge(nvml, lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).used))
        self._gauges["nvml_device_peak_bytes"] = device
        if self._read_context(process):
            self._gauges["nvml_process_peak_bytes"] = process
        sampler = _Sampler(list(self._gauges.values()), self._interval_seconds)
        sampler.start()
        opening.callback(sampler.stop)

    def _read_context(self, process: _Gauge) -> bool:
        """Fill ``nvml_context_bytes``; False where the driver has no figure for this process."""
        torch.cuda.synchronize(self._device)
        used_bytes = process.sample()
        if used_bytes is None:
            self._problems.append(process.problem)
            return False
        context_bytes = used_bytes - torch.cuda.memory_reserved(self._device)
        if context_bytes < 0:
            self._problems.append(OTHER_PROCESS)
            return False
        self.reading["nvml_context_bytes"] = context_bytes
        return True

    def _find_handle(self, nvml: ModuleType) -> Any:
        """Return NVML's handle of the GPU that torch uses: its own order of GPUs may differ."""
        index = self._device.index
        if index is None:
            index = torch.cuda.current_device()
        uuid = getattr(torch.cuda.get_device_properties(index), "uuid", None)
        if uuid is not None:
            for kind in ("GPU", "MIG"):
                with suppress(nvml.NVMLError_NotFound, nvml.NVMLError_InvalidArgument):
                    return nvml.nvmlDeviceGetHandleByUUID(f"{kind}-{uuid}")
            self._problems.append("no GPU has the UUID that torch gives (MIG?): found by its index")
        return _handle_by_index(nvml, index)


class ProcessGauge(NvmlMeter):
    """The driver's count for this process at the moments when it is asked, in bytes.

    Within the block of an ``NvmlMeter``. ``message`` says why where the driver does not tell.
    """

    def now(self) -> int:
        """Return the bytes with the GPU idle; 0 where the driver does not tell."""
        torch.cuda.synchronize(self._device)
        gauge = self._gauges.get("nvml_process_peak_bytes")
        return 0 if gauge is None else gauge.sample() or 0

    def peak(self) -> int:
        """Return the same: between two moments nobody looks."""
        return self.now()


class _Unreadable(Exception):
    """The driver answered, but without the figure that was asked for."""


class _Gauge:
    """The highest value of one figure, and why it could not be read."""

    def __init__(self, nvml: ModuleType, read: Callable[[], int]) -> None:
        self.peak_bytes: int | None = None
        self.problem = ""
        self._nvml = nvml
        self._read = read

    def sample(self) -> int | None:
        """Read the figure in bytes; None, with ``problem`` set, where it cannot be read."""
        try:
            value = self._read()
        except _Unreadable as unreadable:
            self.problem = str(unreadable)
            return None
        except _nvml_errors(self._nvml) as error:
            self.problem = _explain(self._nvml, error)
            return None
        self.peak_bytes = value if self.peak_bytes is None else max(self.peak_bytes, value)
        return value


class _Sampler:
    """A thread that samples gauges at an interval, and once more when it is told to stop."""

    def __init__(self, gauges: list[_Gauge], interval_seconds: float) -> None:
        self._gauges = gauges
        self._interval_seconds = interval_seconds
        self._stopping = Event()
        # A daemon, so that a driver call that never returns cannot keep the process alive.
        self._thread = Thread(target=self._run, name="nvml-sampler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(self._interval_seconds)
            for gauge in self._gauges:
                gauge.sample()


def _process_bytes(nvml: ModuleType, handle: Any, process_id: int) -> int:
    processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    sizes = [process.usedGpuMemory for process in processes if process.pid == process_id]
    if not sizes:
        raise _Unreadable(HIDDEN_PROCESS)
    if None in sizes:
        raise _Unreadable(UNCOUNTED_PROCESS)
    return sum(sizes)


def _handle_by_index(nvml: ModuleType, index: int) -> Any:
    """Return the handle of torch's GPU ``index``, which counts the visible GPUs only."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    name = visible[index].strip() if index < len(visible) else ""
    if name.startswith(("GPU-", "MIG-")):
        return nvml.nvmlDeviceGetHandleByUUID(name)
    return nvml.nvmlDeviceGetHandleByIndex(int(name) if name.isdecimal() else index)


def _nvml_errors(nvml: ModuleType) -> tuple[type[Exception], ...]:
    # A driver older than the bindings raises a class that is not an NVMLError.
    mismatch = getattr(nvml, "NVMLLibraryMismatchError", None)
    return (nvml.NVMLError,) if mismatch is None else (nvml.NVMLError, mismatch)


def _explain(nvml: ModuleType, error: Exception) -> str:
    """Say in one line what an NVML error means for the measurement."""
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        return "the driver's library (libnvidia-ml) is not installed"
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        return "the NVIDIA driver is not loaded"
    if isinstance(error, (nvml.NVMLError_NotSupported, nvml.NVMLError_NoPermission)):
        return f"the driver refuses this figure ({error}), as it does for a GPU split by MIG"
    return f"the driver cannot be read ({error})"


def _shut_down(nvml: ModuleType) -> None:
    # The figures are read by now; a driver that cannot close must not cost the measurement.
    with suppress(nvml.NVMLError):
        nvml.nvmlShutdown()
