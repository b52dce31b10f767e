"""The figures of a memory table: what each is called and what it means, in plain words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from xconv_bench.report.units import bytes_unit, format_error, seconds_unit


@dataclass(frozen=True)
class Figure:
    """A column of the table ``memory`` that people compare."""

    column: str
    heading: str
    meaning: str
    is_told_where_zero: bool = True
    """Whether it is told where it is zero in all rows."""

    def is_told(self, values: Iterable[float | None]) -> bool:
        """Whether a table has this column, given what stands in it."""
        found = [value for value in values if value is not None]
        return any(found) or bool(found and self.is_told_where_zero)

    @property
    def has_ratio(self) -> bool:
        """Whether it is compared with the exact row; an error already is such a comparison."""
        return not self.column.endswith("_error")

    def formatter(self, largest: float) -> Callable[[float], str]:
        """How to write figures that stand together and of which ``largest`` is the largest."""
        if self.column.endswith("_bytes"):
            return bytes_unit(largest).format
        if self.column.endswith("_seconds"):
            return seconds_unit(largest).format
        return format_error


FIGURES = (
    Figure(
        "saved_bytes",
        "saved",
        "what autograd keeps between the forward and the backward pass, parameters excluded",
    ),
    Figure(
        "live_peak_bytes",
        "live peak",
        "the most that tensors held at one time, counted exactly in blocks of 512 bytes",
    ),
    Figure(
        "simulated_peak_bytes",
        "simulated peak",
        "the same count with nothing computed and nothing allocated",
    ),
    Figure(
        "allocated_peak_bytes",
        "allocated peak",
        "the most that torch's CUDA allocator had given to tensors and kernels",
    ),
    Figure(
        "reserved_peak_bytes",
        "reserved peak",
        "the most that this allocator had taken from the GPU: allocated, cached and fragmented",
    ),
    Figure(
        "nvml_process_peak_bytes",
        "process peak",
        "the most that the driver (NVML) counted for the process, its CUDA context included",
    ),
    Figure(
        "nvml_device_peak_bytes",
        "device peak",
        "the most that the driver (NVML) counted for the whole GPU, other processes included",
    ),
    Figure(
        "nvml_context_bytes",
        "context",
        "what the process takes on the GPU beyond torch's allocator: CUDA context and libraries",
    ),
    Figure(
        "rss_peak_bytes",
        "rss peak",
        "the largest resident set of the process on the CPU, interpreter included; noisy",
    ),
    Figure("forward_seconds", "forward", "time of the forward pass, median of the steps"),
    Figure("backward_seconds", "backward", "time of the backward pass, median of the steps"),
    Figure("step_seconds", "step", "time of a whole step without the optimizer, median"),
    Figure(
        "gradient_relative_error",
        "gradient error",
        "distance of the weight gradients from the exact ones, relative to the exact ones",
    ),
    Figure(
        "floor_error",
        "floor",
        "distance of the exact gradient from itself, computed twice: smaller errors say nothing",
        is_told_where_zero=False,
    ),
)

RATIO_MEANING = "relative to the method exact in the same setting"

PEAK_COLUMNS = ("allocated_peak_bytes", "live_peak_bytes", "simulated_peak_bytes")
"""The meters of peak memory, the one to be shown first where there are several."""
