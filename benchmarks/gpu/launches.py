"""Measure whether a step waits for the GPU or the GPU for the step: ``launches.csv``.

    python -m benchmarks.gpu.launches FOLDER

There is a row for each way to train ResNet-50: how many kernels and copies a step launches, how
long they keep the GPU busy, and how long the step takes. A step that takes much longer than its
kernels is waiting for the CPU to launch them.

Exit code 1 if a row could not be measured; the others still are.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from xconv_bench.configuration import Configuration, columns_of
from xconv_bench.launch import Launcher
from xconv_bench.measurement.training import prepare
from xconv_bench.meters.clock import time_steps

READINGS = ("launches", "busy_seconds", "step_seconds")
COLUMNS = (*columns_of(Configuration), "status", "message", *READINGS)
_SETTING: dict[str, Any] = {"model": "resnet50", "batch_size": 64, "device": "cuda"}
_SWAPPED: dict[str, Any] = {"method": "xconv", "compress": "conv,relu", "first": "exact"}
_PROBED: dict[str, Any] = {**_SWAPPED, "scheme": "independent", "distribution": "rademacher"}
WAYS: tuple[dict[str, Any], ...] = (
    {"method": "exact"},
    {**_PROBED, "probes": 8},
    {**_PROBED, "probes": 32},
    {**_SWAPPED, "scheme": "spectral", "bits": 0.5},
)
_LONGEST_SECONDS = 60
_OWN = "Activity Buffer Request"
"""The profiler's own entry among the GPU's work."""


@dataclass(frozen=True)
class Launches:
    """A measurement of a step on a GPU: ``READINGS`` rows of a step without a renewal of plans."""

    configuration: Configuration

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each reading."""
        training = prepare(self.configuration)
        yield time_steps(
            training.forward, training.backward, training.zero_grad, "cuda", steps=7, warmup=8
        )
        for _ in range(2):  # the first that is looked at includes preparations
            torch.cuda.synchronize()
            with profile(activities=[ProfilerActivity.CUDA]) as profiled:
                training.step()
                torch.cuda.synchronize()
        done = [
            event
            for event in profiled.events()
            if event.device_type == DeviceType.CUDA and event.name != _OWN
        ]
        busy = sum(event.self_device_time_total for event in done)
        yield {"launches": len(done), "busy_seconds": busy / 1e6}


def main(arguments: list[str]) -> int:
    """Measure all ways, each in a process of its own."""
    table = Path(arguments[0]) / "launches.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    launcher, code = Launcher(_LONGEST_SECONDS), 0
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for way in WAYS:
            cell = Configuration(**_SETTING, **way)
            outcome = launcher.run(Launches(cell), device="cuda")
            told = {"status": outcome.status, "message": outcome.message}
            writer.writerow({**asdict(cell), **told, **outcome.readings})
            file.flush()
            print(f"{cell.method} {cell.scheme or ''}: {outcome.status}")
            code |= outcome.status != "ok"
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
