"""Measure how noisy the gradients of each training task are, for docs/training.md.

Run ``python -m benchmarks.training_noise``, two minutes on two cores. Each task is trained exactly
for some epochs. Then the gradient of one batch, over all weights of convolutions, is estimated by
each method with several seeds, and compared with the exact one for the same weights and batch.
Methods that divide bits by what they see have seen a batch of the epoch before.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks.page import put
from xconv.budget import STEPS_TO_LEARN, plans_kept
from xconv.conversion import FAMILIES
from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.measurement.task_setup import build_task
from xconv_bench.measurement.training import Training
from xconv_bench.meters.gradient import SameRandomNumbers, relative_error, weight_gradients
from xconv_bench.naming import method_words
from xconv_bench.tasks import TASKS, Task, TaskOptions, make_task

EPOCHS = 3
REPEATS = 5
_PROBED = {"method": "xconv", "scheme": "independent", "compress": "conv,relu"}
_SPECTRAL = {"method": "xconv", "scheme": "spectral", "allot": "network"}
METHODS: tuple[dict[str, Any], ...] = (
    *({**_PROBED, "probes": probes} for probes in (4, 16, 64, 256, 1024)),
    *({**_SPECTRAL, "bits": bits, "compress": "conv,relu"} for bits in (0.5, 1)),
    {**_SPECTRAL, "bits": 0.5, "compress": ",".join(FAMILIES), "norm_bits": 4},
    *({"method": "quantized", "bits": bits, "compress": "conv,relu"} for bits in (1, 2)),
    {"method": "rad-sampling", "keep": 0.1, "compress": "conv,relu"},
)


def main() -> None:
    """Measure, and renew the table of the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--page", type=Path, default=Path("docs/training.md"), help="page to renew")
    page: Path = parser.parse_args().page
    table = pd.DataFrame({name: _errors(name) for name in TASKS})
    table.insert(1, "the CIFAR network", _errors("classification", "paper/cifar"))
    page.write_text(put(page.read_text(), "noise", table.rename_axis("method")))


def _errors(name: str, network: str | None = None) -> dict[str, str]:
    """Return ‖ĝ − g‖ / ‖g‖ of each method, a mean over the seeds of the estimator."""
    task = make_task(name, TaskOptions(model=network))
    exact = TrainingConfiguration(task.model, task=name)
    model = _trained(task, exact)
    earlier, batch = (next(iter(task.batches(epoch))) for epoch in (EPOCHS, EPOCHS + 1))
    reference = _gradients(task, model, batch)
    errors = {}
    for knobs in METHODS:
        cell = TrainingConfiguration(task.model, task=name, **knobs)
        own = build_task(task, cell)
        own.load_state_dict(model.state_dict())
        for _ in range(STEPS_TO_LEARN):  # how bits are divided, from a batch before
            Training(own, earlier, task.loss).step()
        own.load_state_dict(model.state_dict())  # running statistics have moved
        with plans_kept():
            found = [
                _error(_gradients(task, own, batch, seed), reference) for seed in range(REPEATS)
            ]
        errors[f"`{method_words(cell.key)}`"] = f"{mean(found):.2g}"
    return errors


def _trained(task: Task, cell: TrainingConfiguration) -> nn.Module:
    model = build_task(task, cell)
    optimizer = task.optimizer(model, task.learning_rate)
    for epoch in range(1, EPOCHS + 1):
        for batch in task.batches(epoch):
            Training(model, batch, task.loss).step()
            optimizer.step()
    return model


def _gradients(
    task: Task, model: nn.Module, batch: Mapping[str, Tensor], seed: int = 0
) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    with SameRandomNumbers(0):
        Training(model, batch, task.loss).step()
    return {name: gradient.clone() for name, gradient in weight_gradients(model).items()}


def _error(gradients: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    error = relative_error(gradients, exact)
    if error is None:
        raise SystemExit("the exact gradient is zero: there is nothing to hold the others against")
    return error


if __name__ == "__main__":
    main()
