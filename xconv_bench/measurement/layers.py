"""Memory at every layer of a training step that is not the first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.training import Training, prepare, remark
from xconv_bench.meters.by_layer import Gauge, LayerMemoryMeter, Point
from xconv_bench.meters.live import LiveMeter
from xconv_bench.meters.nvml import ProcessGauge

Row = dict[str, Any]


@dataclass(frozen=True)
class LayersMeasurement:
    """Yields ``{"rows": rows}``, a row a point, in the order of time.

    Simulated and on the CPU the bytes of live tensors are counted, on a GPU those that torch's
    allocator has handed out. ``start_bytes`` is what there is before the step: parameters,
    buffers, the batch and the gradients of the step before.
    """

    configuration: Configuration

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Measure."""
        device = self.configuration.device
        if device == SIMULATED:
            simulation = Simulation(self.configuration)
            with simulation.entered() as training:
                points, start = _count(training)
            message = simulation.facts()["message"]
        else:
            training = prepare(self.configuration)
            training.step()
            if torch.device(device).type == "cuda":
                points, start = _watch(training, _Allocator(device))
            else:
                points, start = _count(training)
            message = remark(training, self.configuration)
        yield {"rows": [_row(n, p, start) for n, p in enumerate(points)], "message": message}


@dataclass(frozen=True)
class UncachedLayersMeasurement:
    """Yields ``{"process_bytes": …}``, what the driver counts for the process at each point.

    With torch's cache off, so that what is freed goes back to the driver at once; that has to be
    said before CUDA starts, hence in a process of its own. Yields ``message`` where the driver
    does not tell.
    """

    configuration: Configuration

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Measure."""
        os.environ["PYTORCH_NO_CUDA_MEMORY_CACHING"] = "1"
        training = prepare(self.configuration)
        training.step()
        gauge = ProcessGauge(self.configuration.device)
        with gauge:
            points, _ = _watch(training, gauge)
        if gauge.message:
            yield {"message": gauge.message}
        else:
            yield {"process_bytes": [point.bytes for point in points]}


class _Live:
    """What live tensors hold."""

    def __init__(self, meter: LiveMeter) -> None:
        self._meter = meter

    def now(self) -> int:
        return self._meter.live_bytes

    def peak(self) -> int:
        peak = self._meter.peak_bytes
        self._meter.reset_peak()
        return peak


class _Allocator:
    """What torch's CUDA allocator has handed out."""

    def __init__(self, device: str) -> None:
        self._device = device

    def now(self) -> int:
        return torch.cuda.memory_allocated(self._device)

    def peak(self) -> int:
        peak = torch.cuda.max_memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        return peak


def points_of(training: Training) -> list[Point]:
    """Return the points of a further step, by what live tensors hold."""
    return _count(training)[0]


def _count(training: Training) -> tuple[list[Point], int]:
    live = LiveMeter(training.batch.input.device)
    live.track(training.batch)
    live.track_model(training.model)
    live.reset_peak()
    with live:
        return _watch(training, _Live(live))


def _watch(training: Training, gauge: Gauge) -> tuple[list[Point], int]:
    """The points of a step, and the bytes before it."""
    meter = LayerMemoryMeter(training.model, gauge)
    start = gauge.now()
    with meter.watching():
        loss = training.forward()
        meter.turn()
        training.zero_grad()
        training.backward(loss)
        meter.end()
    return meter.points, start


def _row(number: int, point: Point, start: int) -> Row:
    return {
        "position": number,
        "phase": point.phase,
        "layer": point.layer,
        "kind": point.kind,
        "start_bytes": start,
        "layer_bytes": point.bytes,
        "layer_peak_bytes": point.peak_bytes,
    }
