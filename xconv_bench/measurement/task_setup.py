"""Tasks as trainings: their networks in a method's form, really run or simulated."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from xconv_bench.configuration import Configuration, TrainingConfiguration
from xconv_bench.measurement.counting import Simulation
from xconv_bench.measurement.training import Setup
from xconv_bench.methods import find_method
from xconv_bench.tasks import Task


def build_task(task: Task, cell: Configuration) -> nn.Module:
    """Build the task's network in the method's form, in training mode, on the CPU.

    Its weights follow from the seed, and are the same for all methods. Raises Unsupported where
    the method cannot be applied to it.
    """
    torch.manual_seed(cell.seed)
    return find_method(cell.method).apply(task.build(), cell).train()


def simulate_task(task: Task, cell: TrainingConfiguration) -> Simulation:
    """Simulate steps of a task. Raises Unsupported where the method cannot be simulated."""
    return Simulation(cell, partial(_set_up, task))


def _set_up(task: Task, cell: Configuration) -> Setup:
    model = build_task(task, cell)
    sample = next(iter(task.batches(0)))

    def empty_batch(batch_size: int) -> dict[str, Any]:
        size = batch_size if task.has_batches else 1
        return {name: _empty(tensor, size) for name, tensor in sample.items()}

    return Setup(model, task.loss, empty_batch)


def _empty(tensor: Tensor, size: int) -> Tensor:
    return torch.empty((size, *tensor.shape[1:]), dtype=tensor.dtype)
