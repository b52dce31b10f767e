"""Look-ups of models and devices before a sweep becomes cells."""

from __future__ import annotations

from collections.abc import Sequence

from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import BenchError
from xconv_bench.experiments.sweep import Sweep
from xconv_bench.launch import Launcher
from xconv_bench.measurement.survey import Survey


def designed_sizes(sweep: Sweep, launcher: Launcher, computes: bool = False) -> dict[str, int]:
    """Return each model's own image size in pixels.

    ``computes`` says that the networks are computed and not simulated. Raises BenchError for a
    model or device that does not exist.
    """
    outcome = launcher.run(
        Survey(sweep.models, sweep.devices, sweep.image_sizes, computes),
        device=neediest(sweep.devices),
    )
    if outcome.status != "ok":
        raise BenchError(outcome.message)
    sizes: dict[str, int] = outcome.readings["designed_sizes"]
    return sizes


def neediest(devices: Sequence[str]) -> str:
    """Return the device that a machine needs to survey all of ``devices``."""
    return next((device for device in devices if device.startswith("cuda")), SIMULATED)
