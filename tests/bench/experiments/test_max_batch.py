"""The largest batch on a GPU, with a GPU that is made up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xconv_bench.configuration import Configuration, MaxBatchConfiguration
from xconv_bench.events import Progress
from xconv_bench.experiments.max_batch import VERIFYING_STEPS, find_max_batches
from xconv_bench.launch import Launcher, Outcome
from xconv_bench.measurement.allocated_peak import AllocatedPeak, LargestElements
from xconv_bench.measurement.largest_batch import LargestBatch
from xconv_bench.results.run_directory import RunDirectory
from xconv_bench.results.table import Table

CELL = MaxBatchConfiguration(
    "net", device="cuda", memory_budget_bytes=1000, headroom=0.9, most=4096
)


class Gpu(Launcher):
    """Allocates 7 bytes a sample and 50 beside; runs out of memory beyond ``memory`` bytes."""

    def __init__(
        self, memory: int = 10**9, elements: int = 1, fails_training: bool = False
    ) -> None:
        self.memory, self.elements, self.fails_training = memory, elements, fails_training
        self.tried: list[int] = []
        self.simulated = 0

    def run(self, work: Any, listener: Callable[[Any], None] = lambda _: None) -> Outcome:
        if isinstance(work, LargestBatch):
            return Outcome(readings={"max_batch_size": work.budget_bytes, "limited_by": "max"})
        size = work.configuration.batch_size
        if isinstance(work, LargestElements):
            self.simulated += 1
            if not self.elements:
                return Outcome("error", "the process died of SIGSEGV")
            return Outcome(readings={"largest_elements": self.elements * size})
        assert isinstance(work, AllocatedPeak)
        self.tried.append(size)
        if 50 + 7 * size > self.memory or (work.trains and self.fails_training):
            return Outcome("oom", "CUDA out of memory")
        steps = work.steps if work.trains else None
        return Outcome(readings={"allocated_peak_bytes": 50 + 7 * size, "trained_steps": steps})


class Silent:
    def started(self, configuration: Configuration) -> None:
        pass

    def progressed(self, configuration: Configuration, progress: Progress) -> None:
        pass

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        pass


@pytest.fixture
def table(tmp_path: Path) -> Table:
    with RunDirectory("max-batch", "net", tmp_path) as run:
        return run.table("max_batch")


def find(table: Table, gpu: Gpu, cell: MaxBatchConfiguration = CELL, **options: Any) -> Any:
    (row,) = find_max_batches([cell], table, gpu, Silent(), **options)
    return row


def test_the_budget_is_what_limits(table: Table) -> None:
    """900 bytes: 121 samples."""
    gpu = Gpu()
    row = find(table, gpu)
    assert (row["max_batch_size"], row["allocated_peak_bytes"]) == (121, 897)
    assert (row["limited_by"], row["trained_steps"], row["status"]) == ("memory", None, "ok")
    assert {121, 122} <= set(gpu.tried)
    assert find(table, Gpu(memory=0)) == row  # known: not looked for again


def test_the_gpu_may_be_smaller_than_the_budget(table: Table) -> None:
    assert find(table, Gpu(memory=200))["max_batch_size"] == 21


def test_a_tensor_may_have_too_many_elements(table: Table) -> None:
    row = find(table, Gpu(elements=2**31 // 10))
    assert (row["max_batch_size"], row["limited_by"]) == (10, "elements")


def test_a_simulation_that_dies_is_no_answer(table: Table) -> None:
    """The GPU has the last word, and what died once is not tried again."""
    gpu = Gpu(elements=0)
    row = find(table, gpu)
    assert (row["status"], row["max_batch_size"], gpu.simulated) == ("ok", 121, 1)


def test_no_more_than_were_asked_for(table: Table) -> None:
    gpu = Gpu()
    row = find(table, gpu, replace(CELL, most=5))
    assert (row["max_batch_size"], row["limited_by"]) == (5, "max")
    assert max(gpu.tried) == 5


def test_nothing_fits(table: Table) -> None:
    assert find(table, Gpu(memory=0))["message"] == "a batch of one sample needs more than there is"
    row = find(table, Gpu(), replace(CELL, memory_budget_bytes=10))
    assert (row["status"], row["max_batch_size"]) == ("oom", None)


def test_the_answer_is_trained(table: Table) -> None:
    row = find(table, Gpu(), verify=True)
    assert row["trained_steps"] == VERIFYING_STEPS
    failed = find(table, Gpu(fails_training=True), replace(CELL, seed=1), verify=True)
    assert (failed["status"], failed["max_batch_size"]) == ("oom", 121)


def test_an_error_is_a_row(table: Table) -> None:
    class Broken(Gpu):
        def run(self, work: Any, listener: Any = None) -> Outcome:
            return Outcome("error", "no kernel image")

    row = find(table, Broken())
    message = "no kernel image (with a batch of 1, and so with all others up to 8)"
    assert (row["status"], row["message"]) == ("error", message)


def test_a_simulation_is_given_its_part_of_the_budget(table: Table) -> None:
    row = find(table, Gpu(), replace(CELL, device="simulated"), cross_check=False)
    assert row["max_batch_size"] == 900
