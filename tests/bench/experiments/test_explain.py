"""Each configuration that has been measured is explained once, in the order of the plan."""

from dataclasses import replace
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.experiments.explain import explain_cells
from xconv_bench.experiments.memory import repeat
from xconv_bench.explanation import Explanation
from xconv_bench.launch import Job, Launcher, Outcome
from xconv_bench.measurement.explaining import EXPLANATION, Explaining

PLAN = repeat([Configuration("net", batch_size=size) for size in (1, 2, 3, 4)], 2)
STATUSES = {1: "ok", 2: "oom", 3: "doubtful", 4: "ok"}
ROWS: list[dict[str, Any]] = [{**cell.key, "status": STATUSES[cell.batch_size]} for cell in PLAN]
FOUND = Explanation((), None)
OUTCOMES = {
    1: Outcome(readings={EXPLANATION: FOUND}),
    3: Outcome("unsupported", "compiled"),
    4: Outcome("timeout"),
}


class Fake(Launcher):
    """Is done with the last job first."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def run(self, task: Any, *_: Any) -> Outcome:
        assert isinstance(task, Explaining)
        self.asked.append(task.configuration.batch_size)
        return OUTCOMES[task.configuration.batch_size]

    def each(self, jobs: Any, watcher: Any) -> Any:
        found: list[Job] = list(jobs)
        for job in reversed(found):
            watcher.started(job.cells[0])
            yield job, job.measure(self, lambda _: None)


def test_once_for_what_has_been_measured() -> None:
    launcher = Fake()
    found = explain_cells(PLAN, ROWS, launcher)
    assert launcher.asked == [4, 3, 1]  # neither repeats nor what does not fit
    assert [row["batch_size"] for row, _ in found] == [1, 3, 4]
    assert [each for _, each in found] == [FOUND, "compiled", "timeout"]


def test_nothing_was_measured() -> None:
    launcher = Fake()
    assert explain_cells([replace(PLAN[0], batch_size=2)], ROWS, launcher) == []
    assert launcher.asked == []
