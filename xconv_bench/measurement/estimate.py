"""Estimates of a measurement before it is made: memory by simulation, time by operations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from xconv_bench.configuration import Configuration
from xconv_bench.measurement.counting import Simulation
from xconv_bench.methods import find_method

_TRIALS = 5


@dataclass(frozen=True)
class Estimate:
    """Yields ``peak_bytes`` and ``step_operations`` of a training step, and ``seconds`` it took.

    For a method that cannot be simulated, exact is simulated instead. Operations are floating-point
    ones, of convolutions and matrix products.
    """

    configuration: Configuration

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Simulate two steps; raises what the network raises."""
        cell = self.configuration
        if not find_method(cell.method).is_simulated:
            cell = cell.as_exact()
        began = time.perf_counter()
        simulation = Simulation(cell)
        counts = simulation.count(cell.batch_size)
        seconds = time.perf_counter() - began
        yield {
            "peak_bytes": counts.peak_bytes,
            "step_operations": simulation.operations(cell.batch_size),
            "seconds": seconds,
        }


@dataclass(frozen=True)
class Speed:
    """Yields ``operations_per_second`` of a convolution of middling size, there and back."""

    device: str

    def __call__(self) -> Iterator[dict[str, float]]:
        """Time it. Raises RuntimeError where the device cannot be used."""
        layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(self.device)
        x = torch.randn(8, 64, 56, 56, device=self.device, requires_grad=True)
        with FlopCounterMode(display=False) as counter:
            layer(x).sum().backward()
        operations = counter.get_total_flops()
        seconds = min(_time(layer, x) for _ in range(_TRIALS))
        yield {"operations_per_second": operations / seconds}


def _time(layer: torch.nn.Module, x: torch.Tensor) -> float:
    began = time.perf_counter()
    layer(x).sum().backward()
    assert x.grad is not None
    x.grad.flatten()[0].item()  # waits for the device
    return time.perf_counter() - began
