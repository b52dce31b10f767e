"""The GPUs of this machine, from the driver: asking torch would start CUDA in this process."""

import importlib
from types import ModuleType
from typing import Any, TypedDict


class Gpu(TypedDict):
    """One GPU in the driver's order, whether or not CUDA_VISIBLE_DEVICES shows it."""

    name: str
    total_bytes: int
    compute_capability: str


class Graphics(TypedDict):
    """The driver's version and its GPUs; None in both where there is no driver to ask."""

    driver: str | None
    gpus: list[Gpu] | None


def read_graphics() -> Graphics:
    """Ask NVML for the driver and its GPUs; never raises."""
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # no bindings, no library, no driver, no permission: nothing to record
        return Graphics(driver=None, gpus=None)
    try:
        indices = range(nvml.nvmlDeviceGetCount())
        return Graphics(
            driver=nvml.nvmlSystemGetDriverVersion(),
            gpus=[_read_gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(index)) for index in indices],
        )
    except nvml.NVMLError:
        return Graphics(driver=None, gpus=None)
    finally:
        nvml.nvmlShutdown()


def _read_gpu(nvml: ModuleType, handle: Any) -> Gpu:
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    return Gpu(
        name=nvml.nvmlDeviceGetName(handle),
        total_bytes=nvml.nvmlDeviceGetMemoryInfo(handle).total,
        compute_capability=f"{major}.{minor}",
    )
