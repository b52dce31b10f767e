"""Peak memory of a training step by all meters that look on from outside."""

from collections.abc import Callable
from typing import Any

from xconv_bench.events import joined
from xconv_bench.meters.allocator import AllocatorMeter
from xconv_bench.meters.nvml import NvmlMeter
from xconv_bench.meters.rss import RssMeter


def step_peaks(step: Callable[[], Any], device: str) -> dict[str, Any]:
    """Return the peaks that allocator, driver and kernel saw of ``step``, and a ``message``.

    It should not be the first step, and nothing else should watch it.
    """
    meters = (AllocatorMeter(device), NvmlMeter(device), RssMeter())
    with meters[0], meters[1], meters[2]:
        step()
    readings: dict[str, Any] = {}
    for meter in meters:
        readings |= meter.reading
    return readings | {"message": joined(*(meter.message for meter in meters))}
