"""Memory at every layer of a training step that is not the first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.events import Event, Message, Readings, Rows
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.training import Training, prepare, remark
from xconv_bench.meters.by_layer import Gauge, LayerMemoryMeter, Moment
from xconv_bench.meters.live import LiveMeter
from xconv_bench.meters.nvml import ProcessGauge


@dataclass(frozen=True)
class LayersMeasurement:
    """Yields rows of ``layers``, one for each moment of the step, in the order of time.

    Simulated and on the CPU the bytes of live tensors are counted, on a GPU those that torch's
    allocator has handed out. ``start_bytes`` is what there is before the step: parameters,
    buffers, the batch and the gradients of the step before.
    """

    configuration: Configuration

    def __call__(self) -> Iterator[Event]:
        """Measure."""
        device = self.configuration.device
        if device == SIMULATED:
            simulation = Simulation(self.configuration)
            with simulation.entered() as training:
                moments, start = _count(training)
            message = simulation.facts()["message"]
        else:
            training = prepare(self.configuration)
            training.step()
            if torch.device(device).type == "cuda":
                moments, start = _watch(training, _Allocator(device))
            else:
                moments, start = _count(training)
            message = remark(training, self.configuration)
        yield Rows("layers", [_row(n, each, start) for n, each in enumerate(moments)])
        yield Message(message)


@dataclass(frozen=True)
class UncachedLayersMeasurement:
    """Yields ``process_bytes``, the driver's count for the process at each moment.

    torch's cache is off, so that freed memory goes back to the driver at once; this has to be
    said before CUDA starts, hence in a process of its own. Yields a message where the driver
    does not tell.
    """

    configuration: Configuration

    def __call__(self) -> Iterator[Event]:
        """Measure."""
        os.environ["PYTORCH_NO_CUDA_MEMORY_CACHING"] = "1"
        training = prepare(self.configuration)
        training.step()
        gauge = ProcessGauge(self.configuration.device)
        with gauge:
            moments, _ = _watch(training, gauge)
        if gauge.message:
            yield Message(gauge.message)
        else:
            yield {"process_bytes": [moment.bytes for moment in moments]}


class _Live:
    """Gauges the bytes that live tensors hold."""

    def __init__(self, meter: LiveMeter) -> None:
        self._meter = meter

    def now(self) -> int:
        return self._meter.live_bytes

    def peak(self) -> int:
        peak = self._meter.peak_bytes
        self._meter.reset_peak()
        return peak


class _Allocator:
    """Gauges the bytes that torch's CUDA allocator has handed out."""

    def __init__(self, device: str) -> None:
        self._device = device

    def now(self) -> int:
        return torch.cuda.memory_allocated(self._device)

    def peak(self) -> int:
        peak = torch.cuda.max_memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        return peak


def moments_of(training: Training) -> list[Moment]:
    """Return the moments of a further step, with the bytes that live tensors hold."""
    return _count(training)[0]


def _count(training: Training) -> tuple[list[Moment], int]:
    live = LiveMeter(training.device)
    live.track(training.batch)
    live.track_model(training.model)
    live.reset_peak()
    with live:
        return _watch(training, _Live(live))


def _watch(training: Training, gauge: Gauge) -> tuple[list[Moment], int]:
    """Return the moments of a step, and the bytes before it."""
    meter = LayerMemoryMeter(training.model, gauge)
    start = gauge.now()
    with meter.watching():
        loss = training.forward()
        meter.turn()
        training.zero_grad()
        training.backward(loss)
        meter.end()
    return meter.moments, start


def _row(number: int, moment: Moment, start: int) -> Readings:
    return {
        "position": number,
        "phase": moment.phase,
        "layer": moment.layer,
        "kind": moment.kind,
        "start_bytes": start,
        "layer_bytes": moment.bytes,
        "layer_peak_bytes": moment.peak_bytes,
    }
