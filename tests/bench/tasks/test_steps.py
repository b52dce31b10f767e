"""Every task takes two steps with every method, from the same weights on the same batches."""

from itertools import islice

import pytest
import torch

from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.errors import Unsupported
from xconv_bench.experiments.sweep import Sweep
from xconv_bench.measurement.task_setup import build_task
from xconv_bench.measurement.training import Training
from xconv_bench.methods import METHODS
from xconv_bench.tasks import TASKS, Task, TaskOptions, make_task

pytestmark = pytest.mark.usefixtures("compiler_as_before")

NEEDS_A_GPU_OR_BLOCKS = {"offload", "invertible"}
COMPILED = {"generation", "segmentation-3d"}
"""Tasks that are compiled: a network of two inputs, and one of volumes; the rest is much alike."""


@pytest.fixture(scope="module", params=sorted(TASKS))
def task(request: pytest.FixtureRequest) -> Task:
    return make_task(request.param, TaskOptions())


def cell_of(task: Task, method: str) -> TrainingConfiguration:
    sweep = Sweep((task.model,), (method,), {"scheme": ("independent",)},
                  batch_sizes=(task.batch_size,),
                  image_sizes=(task.image_size,))  # fmt: skip
    (cell,) = sweep.configurations({})
    return cell.extended(TrainingConfiguration, task=task.name, data=task.data)


@pytest.fixture(scope="module")
def start(task: Task) -> dict[str, torch.Tensor]:
    return build_task(task, cell_of(task, "exact")).state_dict()


@pytest.mark.parametrize("method", sorted(METHODS))
def test_two_steps(task: Task, start: dict[str, torch.Tensor], method: str) -> None:
    if method == "compile-budget" and task.name not in COMPILED:
        pytest.skip("compiling takes seconds")
    cell = cell_of(task, method)
    try:
        model = build_task(task, cell)
    except Unsupported:
        assert method in NEEDS_A_GPU_OR_BLOCKS
        return
    parameters = list(model.parameters())
    assert all(map(torch.equal, model.state_dict().values(), start.values()))
    optimizer = task.optimizer(model, task.learning_rate)
    for batch in islice(task.batches(0), 2):
        two = {name: tensor[:2] for name, tensor in batch.items()}
        loss = Training(model, two, task.loss).step()
        assert loss.isfinite()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters)
        optimizer.step()
    moved = [
        not torch.equal(p, t)
        for p, t in zip(model.state_dict().values(), start.values(), strict=True)
    ]
    assert any(moved)
