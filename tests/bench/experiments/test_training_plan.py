"""Batches at equal memory: what memory allows, but no more than there are data."""

from typing import Any

import pytest

from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.experiments.sweep import Sweep
from xconv_bench.experiments.training_plan import TrainingPlan
from xconv_bench.launch import Launcher, Outcome
from xconv_bench.measurement.task_memory import EqualMemoryBatch
from xconv_bench.tasks import TaskOptions

KNOWN = {"has_batches": True, "sample_count": 96}
CELL = TrainingConfiguration(
    "unet3d", "xconv", "independent", 4, "rademacher", batch_size=80, image_size=16,
    task="segmentation-3d", learning_rate=0.003,
)  # fmt: skip


class Told(Launcher):
    """Answers for the work that looks for a batch."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.asked: list[EqualMemoryBatch] = []

    def run(self, work: Any, listener: Any = None, device: str = "") -> Outcome:
        assert isinstance(work, EqualMemoryBatch)
        self.asked.append(work)
        return self.outcome


def at_equal_memory(
    outcome: Outcome, known: dict[str, Any] = KNOWN
) -> tuple[TrainingConfiguration, list[str], Told]:
    launcher, said = Told(outcome), list[str]()
    plan = TrainingPlan(TaskOptions(), {CELL.task: known}, Sweep(("unet3d",)), launcher, True)
    (cell,) = plan.at_equal_memory([CELL], said.append)
    return cell, said, launcher


def test_the_rate_grows_with_the_root_of_the_batch() -> None:
    cell, said, launcher = at_equal_memory(Outcome(readings={"batch_size": 90}))
    assert (cell.batch_size, cell.equal_memory, said) == (90, 1, [])
    assert cell.learning_rate == pytest.approx(0.003 * (90 / 80) ** 0.5, rel=0.01)
    assert len(launcher.asked) == 1


def test_a_batch_is_no_larger_than_the_data() -> None:
    cell, said, _ = at_equal_memory(Outcome(readings={"batch_size": 97}))
    assert cell.batch_size == 96
    assert said == [
        "segmentation-3d, xconv independent r=4: more would fit, its batch is 96 at the most"
    ]


def test_a_method_that_cannot_be_simulated_keeps_its_batch() -> None:
    outcome = Outcome("unsupported", "it cannot be simulated, only really run")
    cell, said, _ = at_equal_memory(outcome)
    assert cell.batch_size == 80 and cell.learning_rate == 0.003
    assert said == [
        "segmentation-3d, xconv independent r=4: it cannot be simulated, only really run: its "
        "batch stays 80"
    ]


def test_seeds_share_a_search() -> None:
    launcher = Told(Outcome(readings={"batch_size": 90}))
    plan = TrainingPlan(TaskOptions(), {CELL.task: KNOWN}, Sweep(("unet3d",)), launcher, True)
    cells = [TrainingConfiguration(**{**CELL.key, "seed": seed}) for seed in (0, 1, 2)]
    found = plan.at_equal_memory(cells, print)
    assert [cell.seed for cell in found] == [0, 1, 2] and len(launcher.asked) == 1


def test_where_there_is_no_batch_to_choose() -> None:
    with pytest.raises(UsageError, match="segmentation-3d trains on one image: leave out one"):
        at_equal_memory(Outcome(), {**KNOWN, "has_batches": False})
    with pytest.raises(BenchError, match="no memory left"):
        at_equal_memory(Outcome("oom", "no memory left"))
