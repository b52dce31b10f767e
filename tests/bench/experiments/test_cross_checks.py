"""Cross-checks of a sweep: each network and method once, and what rows say of them."""

from dataclasses import replace
from typing import Any

import pytest

from xconv_bench.configuration import Configuration, MaxBatchConfiguration, MemoryConfiguration
from xconv_bench.experiments import cross_checks
from xconv_bench.experiments.cross_checks import CrossChecks
from xconv_bench.launch import Launcher, Outcome
from xconv_bench.measurement.cross_check import CrossCheck


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process checked other networks, perhaps of the same name."""
    monkeypatch.setattr(cross_checks, "_known", {})


CELL = MemoryConfiguration("net", device="simulated")
PROBED = replace(CELL, method="xconv", probes=8)


class FakeLauncher(Launcher):
    """Gives one outcome for each check, and remembers what was asked."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.asked: list[Configuration] = []

    def run(
        self,
        work: Any,
        listener: Any = None,
        device: str = "",
        timeout_seconds: float | None = None,
    ) -> Outcome:
        assert timeout_seconds is not None and timeout_seconds <= 60
        assert isinstance(work, CrossCheck)
        self.asked.append(work.configuration)
        return self.outcome


def test_each_network_and_method_once_and_at_its_smallest() -> None:
    launcher = FakeLauncher(Outcome())
    sizes = [(8, 64), (8, 32), (4, 64)]
    cells: list[Configuration] = [
        replace(cell, batch_size=batch_size, image_size=image_size, seed=seed, repeat=seed)
        for batch_size, image_size in sizes
        for seed in (0, 1)
        for cell in (CELL, PROBED, replace(PROBED, probes=16), replace(CELL, device="cuda"))
    ]
    cells += [replace(CELL, method="compile-budget"), MaxBatchConfiguration("net")]
    CrossChecks(cells, launcher)
    asked = [(c.method, c.probes, c.batch_size, c.image_size, c.device) for c in launcher.asked]
    assert asked == [
        ("exact", None, 8, 32, "simulated"),
        ("xconv", 8, 8, 32, "simulated"),
        ("xconv", 16, 8, 32, "simulated"),
    ]


def test_experiments_of_one_run_share_what_was_found() -> None:
    """Try again where a check failed."""
    launcher = FakeLauncher(Outcome())
    for cells in ([CELL], [CELL, PROBED], [replace(CELL, batch_size=1)]):
        CrossChecks(cells, launcher).apply(CELL, Outcome())
    assert [cell.method for cell in launcher.asked] == ["exact", "xconv"]
    failing = FakeLauncher(Outcome("error", "it died"))
    for _ in range(2):
        CrossChecks([replace(CELL, model="other")], failing)
    assert len(failing.asked) == 2


@pytest.mark.parametrize(
    ("check", "row"),
    [
        (Outcome(readings={"doubt": ""}), ("ok", "said")),
        (Outcome(readings={"doubt": "mul differs"}), ("doubtful", "said; mul differs")),
        (Outcome("ok", "not cross-checked: large"), ("ok", "said; not cross-checked: large")),
        (Outcome("error", "it died"), ("ok", "said; not cross-checked: it died")),
    ],
    ids=["agrees", "differs", "too large", "failed"],
)
def test_what_a_row_says(check: Outcome, row: tuple[str, str]) -> None:
    checks = CrossChecks([PROBED], FakeLauncher(check))
    outcome = Outcome("ok", "said")
    checks.apply(replace(PROBED, batch_size=1, seed=7), outcome)
    assert (outcome.status, outcome.message) == row


def test_what_failed_anyway_or_was_not_checked_is_left_alone() -> None:
    checks = CrossChecks([PROBED], FakeLauncher(Outcome(readings={"doubt": "mul differs"})))
    for cell, outcome in ((PROBED, Outcome("oom", "no memory")), (CELL, Outcome("ok", ""))):
        before = replace(outcome)
        checks.apply(cell, outcome)
        assert outcome == before
