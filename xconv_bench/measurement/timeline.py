"""The memory of one step over time: a trace of a simulated one, torch's snapshot of a real one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from xconv.budget import plans_kept
from xconv.contents import buffers, parameters
from xconv_bench.configuration import Configuration
from xconv_bench.events import Event
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.trace import write_trace
from xconv_bench.measurement.training import Training, prepare
from xconv_bench.meters.timeline import LayerTimes, Timeline, TimelineMeter
from xconv_bench.naming import method_words, whole_model_words

_MOST_ENTRIES = 1_000_000
_STEPS = 2


@dataclass(frozen=True)
class SimulatedTrace:
    """Write the trace of the simulated step that ``memory`` counts to ``path``.

    Raises what the network raises, Unsupported where it cannot be simulated.
    """

    configuration: Configuration
    path: Path

    def __call__(self) -> Iterator[Event]:
        """Simulate and write; yield the peak."""
        cell = self.configuration
        with Simulation(cell).entered() as training:
            timeline = timeline_of(training)
        title = (
            f"{whole_model_words(cell.model)}, {method_words(cell.key)}, batch {cell.batch_size}, "
            f"{cell.image_size} px, {cell.dtype}"
        )
        write_trace(self.path, title, timeline)
        yield {"simulated_peak_bytes": max(timeline.levels)}


@dataclass(frozen=True)
class CudaSnapshot:
    """Write torch's snapshot of the GPU's memory to ``path``, also where a step runs out of it.

    The record begins before the network is made and ends after its second step.
    """

    configuration: Configuration
    path: Path

    def __call__(self) -> Iterator[Event]:
        """Record and write."""
        memory = torch.cuda.memory
        memory._record_memory_history(max_entries=_MOST_ENTRIES)
        try:
            training = prepare(self.configuration)
            for _ in range(_STEPS):
                training.step()
        finally:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            memory._dump_snapshot(str(self.path))
            memory._record_memory_history(enabled=None)
        yield {}


def timeline_of(training: Training) -> Timeline:
    """Return the timeline of a step that is not the first."""
    meter = TimelineMeter(training.device)
    with meter.made_by("weights and buffers"):
        meter.track([*parameters(training.model), *buffers(training.model)])
    with meter.made_by("gradients of the step before"):
        meter.track([p.grad for p in parameters(training.model) if p.grad is not None])
    with meter.made_by("batch"):
        meter.track(training.batch)
    meter.start()
    layers = LayerTimes(training.model, meter)
    with meter, plans_kept(), layers.watching():
        loss = training.forward()
        layers.turn()
        training.zero_grad()
        training.backward(loss)
        layers.end()
    # Copied: what is freed on the way out is no part of the step.
    return Timeline(list(meter.levels), meter.tensors, layers.spans())
