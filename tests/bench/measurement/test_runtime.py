"""Methods take turns, and what is reported is what a clock that is made up shows."""

from collections.abc import Iterator
from typing import Any

import pytest
from heard import outcome_of

from xconv_bench.configuration import Configuration
from xconv_bench.measurement import runtime as module
from xconv_bench.measurement.runtime import WARMUP_STEPS, RuntimeMeasurement
from xconv_bench.meters.clock import StepTimes
from xconv_bench.meters.waiting import REMARK

EXACT = Configuration("conv:2", batch_size=1, image_size=4)
PROBED = Configuration(
    "conv:2", "xconv", "independent", 2, "rademacher", "conv", batch_size=1, image_size=4
)
INVERTED = Configuration("conv:2", "invertible", batch_size=1, image_size=4)
CELLS = (EXACT, PROBED, INVERTED)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The order of the steps; round n takes n seconds exactly, and n + 1 probed."""
    taken: list[str] = []

    def timed(forward: Any, *_: Any, steps: int, warmup: int) -> StepTimes:
        method = "xconv" if "XConv" in repr(forward.__self__.model) else "exact"
        taken.extend([method] * steps)
        rounds = taken.count(method) - WARMUP_STEPS
        seconds = float(rounds + (method == "xconv"))
        return StepTimes([seconds], [2 * seconds], [3 * seconds])

    monkeypatch.setattr(module, "collect_step_times", timed)
    yield taken


def measure(rounds: int = 9, cells: tuple[Configuration, ...] = CELLS) -> list[dict[str, Any]]:
    return outcome_of(RuntimeMeasurement(cells, rounds)).rows["runtime"]


def test_medians_ratios_and_intervals(steps: list[str]) -> None:
    exact, probed, inverted = measure()
    assert (exact["forward_seconds"], exact["step_seconds"], exact["rounds"]) == (5, 15, 9)
    assert (exact["backward_seconds_low"], exact["backward_seconds_high"]) == (4, 16)
    assert "step_ratio" not in exact
    # Of (n + 1) / n, n = 1 … 9: the median is that of 5, the second and eighth are those of 8, 2.
    assert probed["step_ratio"] == pytest.approx(6 / 5)
    assert probed["step_ratio_low"] == pytest.approx(9 / 8)
    assert probed["step_ratio_high"] == pytest.approx(3 / 2)
    assert (inverted["status"], "step_seconds" in inverted) == ("unsupported", False)


def test_every_round_has_an_order_of_its_own(steps: list[str]) -> None:
    measure(rounds=20)
    warmup, rounds = steps[: 2 * WARMUP_STEPS], steps[2 * WARMUP_STEPS :]
    assert warmup == ["exact"] * WARMUP_STEPS + ["xconv"] * WARMUP_STEPS
    pairs = [tuple(rounds[i : i + 2]) for i in range(0, 40, 2)]
    assert set(pairs) == {("exact", "xconv"), ("xconv", "exact")}
    first = list(steps)
    steps.clear()
    measure(rounds=20)
    assert steps == first  # the seed decides


def test_all_methods_train_on_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn once, and held once by the GPU."""
    inputs: list[int] = []

    def timed(forward: Any, *_: Any, steps: int, warmup: int) -> StepTimes:
        inputs.append(forward.__self__.batch.input.data_ptr())
        return StepTimes([1.0], [1.0], [2.0])

    monkeypatch.setattr(module, "collect_step_times", timed)
    measure(rounds=2)
    assert len(inputs) == 2 * 3 and len(set(inputs)) == 1


def test_without_exact_there_is_no_ratio(steps: list[str]) -> None:
    (row,) = measure(cells=(PROBED,))
    assert row["step_seconds"] and "step_ratio" not in row


def test_what_fails_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = module.prepare

    def failing(cell: Configuration, samples: Any) -> Any:
        if cell.method == "xconv":
            raise MemoryError("no room")
        return prepare(cell, samples)

    monkeypatch.setattr(module, "prepare", failing)
    exact, probed, _ = measure(rounds=2)
    assert (exact["status"], exact["rounds"], probed["status"]) == ("ok", 2, "oom")
    assert "no room" in probed["message"]


def test_a_busy_machine_is_said_of_every_row(
    steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for part, said in ((0.5, REMARK), (0.05, ""), (None, "")):
        monkeypatch.setattr(module.CoreWait, "part", lambda self, part=part: part)
        exact, probed, inverted = measure()
        for row in (exact, probed):
            assert (row["cpu_wait_part"], row["message"]) == (part, said)
        assert "cpu_wait_part" not in inverted
