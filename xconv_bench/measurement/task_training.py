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
from xconv_bench.launch.job import Stage
from xconv_bench.measurement.checkpoints import Checkpoint
from xconv_bench.measurement.peaks import step_peaks
from xconv_bench.measurement.repeatable import use_repeatable_kernels
from xconv_bench.measurement.task_step import TaskStep, build
from xconv_bench.meters.waiting import CoreWait, remark_on
from xconv_bench.tasks import Task

Row = dict[str, Any]

_TRAINING_SEED = 2**20
"""Beside that of the weights: what is drawn while training does not repeat what made them."""


@dataclass(frozen=True)
class TaskTraining:
    """Yields ``{"rows": rows}``, a row an epoch, and each of them as progress before that.

    ``make`` makes the task, in the process that trains it. ``checkpoint`` is written after each
    epoch and gone on from; who has put the rows on the disk may remove it. ``pictures`` is where
    what the trained network makes is put.
    """

    configuration: TrainingConfiguration
    make: Callable[[], Task]
    checkpoint: Path
    pictures: Path

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Train. Raises Diverged where the loss or the measure is not finite."""
        cell, task = self.configuration, self.make()
        use_repeatable_kernels(cell.device)
        model = build(task, cell).to(cell.device)
        optimizer = task.optimizer(model, cell.learning_rate)
        torch.manual_seed(cell.seed + _TRAINING_SEED)
        checkpoint = Checkpoint(self.checkpoint, model, optimizer)
        rows = checkpoint.restore() or [{"epoch": 0, **_evaluated(task, model)}]
        if len(rows) <= cell.epochs:  # the last says how all ended, and is written with the rest
            yield _stage(rows[-1], cell.epochs, (len(rows) - 1) / cell.epochs)
        next(iter(task.batches(0)))  # what is made once, at the first batch, is no epoch's time
        for epoch in range(len(rows), cell.epochs + 1):
            row: Row = {"epoch": epoch}
            for fraction in self._epoch(task, model, optimizer, epoch, row):
                done = (epoch - 1 + fraction) / cell.epochs
                yield {"progress": Stage(done, f"epoch {epoch}, loss {row['loss']:.4g}")}
            _check(row, ["loss"])
            row |= _evaluated(task, model)
            _check(row, [measure.column for measure in task.measures])
            rows.append(row)
            checkpoint.save(rows)
            if epoch < cell.epochs:
                yield _stage(rows[-1], cell.epochs, epoch / cell.epochs)
        self._save_pictures(task, model)
        peaks = _peaks(task, model, cell)
        message = peaks.pop("message", "")
        rows[-1] |= peaks
        yield {"rows": rows, "message": message}
        yield {"message": _remark_on_epochs(rows)}

    def _epoch(
        self, task: Task, model: nn.Module, optimizer: Any, epoch: int, row: Row
    ) -> Iterator[float]:
        """Train an epoch; yields the part that is done, and leaves loss and seconds in ``row``."""
        device = self.configuration.device
        began, wait = time.perf_counter(), CoreWait()
        total = torch.zeros((), device=device)
        steps = task.steps()
        tenth = max(1, steps // 10)
        model.train()
        for number, batch in enumerate(task.batches(epoch - 1), 1):
            moved = {name: tensor.to(device) for name, tensor in batch.items()}
            total += TaskStep(task, model, moved)()
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


def _remark_on_epochs(rows: Sequence[Row]) -> str:
    """Return what is to be said where most epochs had to wait for cores."""
    parts = [row["cpu_wait_part"] for row in rows if row.get("cpu_wait_part") is not None]
    return remark_on(median(parts)) if parts else ""


def _stage(row: Row, epochs: int, fraction: float) -> dict[str, Any]:
    return {"progress": Stage(fraction, f"epoch {row['epoch']} of {epochs}", row)}


def _evaluated(task: Task, model: nn.Module) -> dict[str, float]:
    """The measures now; nothing that is drawn for them is missing afterwards."""
    with torch.no_grad(), torch.random.fork_rng():
        measures = task.evaluate(model.eval())
    model.train()
    return measures


def _check(row: Row, names: Sequence[str]) -> None:
    for name in names:
        if not isfinite(row[name]):
            raise Diverged(f"{name} is {row[name]} after epoch {row['epoch']}")


def _peaks(task: Task, model: nn.Module, cell: TrainingConfiguration) -> dict[str, Any]:
    """Memory of a step, by the meters that look on from outside."""
    batch = {name: tensor.to(cell.device) for name, tensor in next(iter(task.batches(0))).items()}
    return step_peaks(TaskStep(task, model.train(), batch), cell.device)
