"""A task trained from a seed to its last epoch, and what came of it, epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.errors import Diverged
from xconv_bench.events import Event, Message, Progress, Readings, Rows, told
from xconv_bench.measurement.checkpoints import Checkpoint
from xconv_bench.measurement.peaks import step_peaks
from xconv_bench.measurement.repeatable import use_repeatable_kernels
from xconv_bench.measurement.task_setup import build_task
from xconv_bench.measurement.training import Training
from xconv_bench.meters.waiting import CoreWait, remark_on
from xconv_bench.tasks import Task

_TRAINING_SEED = 2**20
"""Beside that of the weights: what is drawn while training does not repeat what made them."""


@dataclass(frozen=True)
class TaskTraining:
    """Yields rows of ``training``, one an epoch as soon as it is over, the last at the very end.

    ``make`` makes the task, in the process that trains it. ``checkpoint`` is written after each
    epoch and gone on from; who has put the rows on the disk may remove it. ``pictures`` is where
    what the trained network makes is put.
    """

    configuration: TrainingConfiguration
    make: Callable[[], Task]
    checkpoint: Path
    pictures: Path

    def __call__(self) -> Iterator[Event]:
        """Train. Raises Diverged where the loss or the measure is not finite."""
        cell, task = self.configuration, self.make()
        use_repeatable_kernels(cell.device)
        model = build_task(task, cell).to(cell.device)
        optimizer = task.optimizer(model, cell.learning_rate)
        torch.manual_seed(cell.seed + _TRAINING_SEED)
        checkpoint = Checkpoint(self.checkpoint, model, optimizer)
        rows = checkpoint.restore() or [{"epoch": 0, **_evaluated(task, model)}]
        yield Rows("training", rows[: cell.epochs])
        if len(rows) <= cell.epochs:
            yield _reached(rows, cell.epochs)
        next(iter(task.batches(0)))  # things made once, at the first batch, are no epoch's time
        for epoch in range(len(rows), cell.epochs + 1):
            row: Readings = {"epoch": epoch}
            for fraction in self._epoch(task, model, optimizer, epoch, row):
                done = (epoch - 1 + fraction) / cell.epochs
                yield Progress(done, f"epoch {epoch}, loss {row['loss']:.4g}")
            _check(row, ["loss"])
            row |= _evaluated(task, model)
            _check(row, [measure.column for measure in task.measures])
            rows.append(row)
            checkpoint.save(rows)
            if epoch < cell.epochs:  # the last says how all ended
                yield Rows("training", [row])
                yield _reached(rows, cell.epochs)
        self._save_pictures(task, model)
        yield from told(_peaks(task, model, cell))
        yield Rows("training", rows[cell.epochs :])
        yield Message(_remark_on_epochs(rows))

    def _epoch(
        self, task: Task, model: nn.Module, optimizer: Any, epoch: int, row: Readings
    ) -> Iterator[float]:
        """Train an epoch; yield the part that is done, and leave loss and seconds in ``row``."""
        device = self.configuration.device
        began, wait = time.perf_counter(), CoreWait()
        total = torch.zeros((), device=device)
        steps = task.steps()
        tenth = max(1, steps // 10)
        model.train()
        for number, batch in enumerate(task.batches(epoch - 1), 1):
            moved = {name: tensor.to(device) for name, tensor in batch.items()}
            total += Training(model, moved, task.loss).step()
            optimizer.step()
            if number == 1 or number % tenth == 0:  # each look waits for the device
                row["loss"] = (total / number).item()
                if not isfinite(row["loss"]):
                    break
                yield number / steps
        row["loss"] = (total / number).item()  # waits for the device, too
        row |= {"epoch_seconds": time.perf_counter() - began, "cpu_wait_part": wait.part()}

    def _save_pictures(self, task: Task, model: nn.Module) -> None:
        from PIL import Image

        with torch.no_grad(), torch.random.fork_rng():
            found = {**task.references(), **task.pictures(model.eval())}
        self.pictures.mkdir(parents=True, exist_ok=True)
        for name, picture in found.items():
            pixels = (picture.clip(0, 1) * 255).round().astype("uint8")
            Image.fromarray(pixels).save(self.pictures / f"{name}.png")


def _remark_on_epochs(rows: Sequence[Readings]) -> str:
    """Return a remark where most epochs had to wait for cores."""
    parts = [row["cpu_wait_part"] for row in rows if row.get("cpu_wait_part") is not None]
    return remark_on(median(parts)) if parts else ""


def _reached(rows: Sequence[Readings], epochs: int) -> Progress:
    reached = len(rows) - 1
    return Progress(reached / epochs, f"epoch {reached} of {epochs}")


def _evaluated(task: Task, model: nn.Module) -> dict[str, float]:
    """Return the measures now, without a trace in torch's generators."""
    with torch.no_grad(), torch.random.fork_rng():
        measures = task.evaluate(model.eval())
    model.train()
    return measures


def _check(row: Readings, names: Sequence[str]) -> None:
    for name in names:
        if not isfinite(row[name]):
            raise Diverged(f"{name} is {row[name]} after epoch {row['epoch']}")


def _peaks(task: Task, model: nn.Module, cell: TrainingConfiguration) -> dict[str, Any]:
    """Return the memory of a step, by the meters that look on from outside."""
    batch = {name: tensor.to(cell.device) for name, tensor in next(iter(task.batches(0))).items()}
    training = Training(model.train(), batch, task.loss)
    return step_peaks(training.step, cell.device)
