"""Peak bytes of torch's CUDA caching allocator while a block runs."""

from __future__ import annotations

from types import TracebackType

import torch

ALLOCATOR_COLUMNS = ("allocated_peak_bytes", "reserved_peak_bytes")


class AllocatorMeter:
    """Read the highest allocated and reserved bytes that torch's allocator reached in a block.

    The peaks start from what is allocated and reserved on entry, so memory that a warm-up step
    left in the allocator's cache is part of ``reserved_peak_bytes``. The CUDA context and memory
    that libraries take from the driver themselves are in neither figure.

    >>> with AllocatorMeter("cpu") as meter:
    ...     _ = torch.zeros(3)
    >>> meter.reading  # nothing to read where the CUDA allocator is not used
    {}
    """

    def __init__(self, device: torch.device | str) -> None:
        self.reading: dict[str, int | None] = {}
        self.message = ""
        self._device = torch.device(device)

    def __enter__(self) -> AllocatorMeter:
        if self._device.type == "cuda":
            self.reading = dict.fromkeys(ALLOCATOR_COLUMNS)
            torch.cuda.synchronize(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After a failed step a synchronisation may raise again and hide the step's own error.
        if self._device.type != "cuda" or error is not None:
            return
        torch.cuda.synchronize(self._device)
        self.reading = {
            "allocated_peak_bytes": torch.cuda.max_memory_allocated(self._device),
            "reserved_peak_bytes": torch.cuda.max_memory_reserved(self._device),
        }
