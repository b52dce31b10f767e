"""Limits applied to rows: what passes, what fails, what is not compared, and why."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import threshold_rows as rows
from threshold_rows import XCONV

from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.results.schema import COLUMNS, TABLES
from xconv_bench.thresholds.baseline import Baseline, why_not_comparable
from xconv_bench.thresholds.limit import Bounds, limits_of, read_limit
from xconv_bench.thresholds.verdict import Verdict, judge

MACHINE: dict[str, Any] = {
    "cpu": {"model": "A", "torch_threads": 2}, "gpus": None, "torch": "2.13", "flags": {},
}  # fmt: skip


def judged(
    text: str, *found: Mapping[str, Any], baseline: Baseline | None = None, machine: Any = MACHINE
) -> list[Verdict]:
    return judge([read_limit(text)], lambda name: [dict(row) for row in found], machine, baseline)


def complete(table: str, *found: Mapping[str, Any], folder: Path) -> list[Mapping[str, Any]]:
    """The rows as they are read back: every column in each."""
    from xconv_bench.results.reading import read_tables

    return list(read_tables(rows.write(folder, table, *found), [table])[table])


@pytest.mark.parametrize(
    ("value", "outcome"), [(99, "pass"), (100, "pass"), (101, "fail"), (float("nan"), "fail")]
)
def test_a_number(tmp_path: Path, value: float, outcome: str) -> None:
    found = complete("error", rows.error(relative_error=value), folder=tmp_path)
    (verdict,) = judged("error: relative_error <= 100", *found)
    assert (verdict.outcome, verdict.bound) == (outcome, 100)


def test_at_least(tmp_path: Path) -> None:
    found = complete("error", rows.error(cosine=0.5), folder=tmp_path)
    assert [v.outcome for v in judged("error: cosine >= 0.5", *found)] == ["pass"]
    (verdict,) = judged("error: cosine >= 0.8", *found)
    assert verdict.outcome == "fail" and verdict.excess == pytest.approx(0.375)


def test_exact_of_the_same_setting(tmp_path: Path) -> None:
    found = complete(
        "memory",
        rows.memory(saved_bytes=100),
        rows.memory(saved_bytes=1000, batch_size=64),
        rows.memory(saved_bytes=60, **XCONV),
        rows.memory(saved_bytes=700, batch_size=64, **XCONV),
        rows.memory(saved_bytes=1, image_size=8, **XCONV),
        folder=tmp_path,
    )
    verdicts = judged("memory/*/xconv: saved_bytes <= 0.65 * exact", *found)
    assert [(v.outcome, v.reference) for v in verdicts] == [
        ("pass", 100), ("fail", 1000), ("fail", None),
    ]  # fmt: skip
    assert verdicts[1].excess == pytest.approx(700 / 650 - 1)
    assert verdicts[2].message == "exact was not measured beside it"


def test_only_the_row_of_all_layers_unless_another_is_named(tmp_path: Path) -> None:
    found = complete(
        "error",
        rows.error(relative_error=9.0, layer="conv1"),
        rows.error(relative_error=1.0),
        folder=tmp_path,
    )
    assert [v.outcome for v in judged("error: relative_error <= 2", *found)] == ["pass"]
    assert [v.outcome for v in judged("error layer=conv*: relative_error <= 2", *found)] == ["fail"]


def test_what_selects_nothing_fails_and_says_why(tmp_path: Path) -> None:
    found = complete("memory", rows.memory(saved_bytes=1), folder=tmp_path)
    (verdict,) = judged("memory/resnet81: saved_bytes <= 3", *found)
    assert verdict.outcome == "fail"
    assert verdict.message == "no row has model resnet81: did you mean 'resnet18'?"
    (verdict,) = judged("memory: saved_bytes <= 3")
    assert verdict.message == "no rows: memory.csv is not in the run"


@pytest.mark.parametrize("status", ["oom", "error", "timeout", "unsupported"])
def test_a_row_that_is_not_ok_fails(tmp_path: Path, status: str) -> None:
    found = complete("memory", rows.memory(status=status, message="why"), folder=tmp_path)
    (verdict,) = judged("memory: saved_bytes <= 3", *found)
    assert (verdict.outcome, verdict.message) == ("fail", f"not measured ({status}: why)")


def test_an_empty_metric_fails(tmp_path: Path) -> None:
    found = complete("memory", rows.memory(), folder=tmp_path)
    (verdict,) = judged("memory: rss_peak_bytes <= 3", *found)
    assert (verdict.outcome, verdict.message) == ("fail", "rss_peak_bytes is empty in this row")


def test_a_regression(tmp_path: Path) -> None:
    before = Baseline(rows.write(tmp_path / "old", "memory", rows.memory(saved_bytes=100)))
    for value, outcome in ((102, "pass"), (103, "fail")):
        found = complete("memory", rows.memory(saved_bytes=value), folder=tmp_path / str(value))
        (verdict,) = judged("memory: saved_bytes <= 1.02 * baseline", *found, baseline=before)
        assert (verdict.outcome, verdict.reference) == (outcome, 100)


@pytest.mark.parametrize(
    "metric",
    ["accuracy", "psnr_db", "dice", "ssim", "iou", "classifier_agreement", "frechet_distance"],
)
def test_a_worse_measure_is_a_regression_and_a_better_one_is_not(
    tmp_path: Path, metric: str
) -> None:
    key = {**TrainingConfiguration("net").key, "epoch": 1, "status": "ok"}
    before = Baseline(rows.write(tmp_path / "old", "training", {**key, metric: 0.5}))
    (limit,) = limits_of("training", {}, metric, Bounds(max_regression="2%"), False)
    worse, better = (0.6, 0.4) if metric == "frechet_distance" else (0.4, 0.6)
    for value, outcome in ((worse, "fail"), (better, "pass"), (0.5, "pass")):
        found = complete("training", {**key, metric: value}, folder=tmp_path / str(value))
        (verdict,) = judge([limit], lambda name, found=found: found, MACHINE, before)
        assert (verdict.outcome, verdict.reference) == (outcome, 0.5)


def test_a_baseline_that_lacks_the_row(tmp_path: Path) -> None:
    before = Baseline(rows.write(tmp_path / "old", "memory", rows.memory(saved_bytes=100)))
    limit = "memory: saved_bytes <= 1.02 * baseline"
    found = complete("memory", rows.memory(saved_bytes=1, seed=3), folder=tmp_path / "new")
    (verdict,) = judged(limit, *found, baseline=before)
    assert verdict.outcome == "fail" and "check --update" in verdict.message
    (verdict,) = judged(limit, *found)
    assert (verdict.outcome, verdict.message) == ("fail", "no --baseline to compare with")


def test_a_baseline_of_another_device_is_not_compared(tmp_path: Path) -> None:
    row = rows.memory(saved_bytes=100, device="cuda")
    before = Baseline(rows.write(tmp_path / "old", "memory", row))
    found = complete("memory", rows.memory(saved_bytes=999, device="cpu"), folder=tmp_path / "new")
    (verdict,) = judged("memory: saved_bytes <= 1.02 * baseline", *found, baseline=before)
    assert verdict.outcome == "skip"
    assert verdict.message == "the baseline is of cuda, this row of cpu: not compared"


@pytest.mark.parametrize(
    ("theirs", "outcome", "message"),
    [
        (MACHINE, "fail", ""),
        ({**MACHINE, "cpu": {"model": "B", "torch_threads": 2}}, "skip", "another cpu model: B"),
        ({**MACHINE, "torch": "2.6"}, "skip", "another torch: 2.6, here 2.13"),
        ({**MACHINE, "kernels_in_c": "in use"}, "skip", "another kernels_in_c: in use, here none"),
        ({**MACHINE, "gpus": [{"name": "H100"}]}, "skip", "another gpus: H100, here none"),
        (None, "skip", "no record of the machine"),
    ],
)
def test_times_are_compared_on_the_same_machine_only(
    tmp_path: Path, theirs: Any, outcome: str, message: str
) -> None:
    old = rows.write(tmp_path / "old", "runtime", rows.runtime(step_seconds=1.0))
    if theirs is not None:
        (old / "environment.json").write_text(json.dumps(theirs))
    found = complete("runtime", rows.runtime(step_seconds=2.0), folder=tmp_path / "new")
    limit = "runtime: step_seconds <= 1.1 * baseline"
    (verdict,) = judged(limit, *found, baseline=Baseline(old))
    assert verdict.outcome == outcome and message in verdict.message


@pytest.mark.parametrize(
    ("table", "metric", "device"),
    [
        ("training", "epoch_seconds", "cpu"),
        ("layers", "layer_bytes", "cuda"),
        ("layers", "layer_peak_bytes", "cuda:1"),
        ("max_batch", "max_batch_size", "cuda"),
        ("frontier", "peak_bytes", "cuda"),
        ("error", "relative_error", "cuda"),
        ("training", "accuracy", "cuda"),
        ("memory", "live_peak_bytes", "cuda"),
        ("memory", "rss_peak_bytes", "simulated"),
    ],
)
def test_what_a_clock_or_a_gpu_says_is_not_compared_between_machines(
    table: str, metric: str, device: str
) -> None:
    column = TABLES[table][metric]
    other = {**MACHINE, "gpus": [{"name": "H100"}]}
    reason = why_not_comparable(column, device, MACHINE, other)
    assert reason == "another gpus: H100, here none"
    assert why_not_comparable(column, device, MACHINE, MACHINE) is None


@pytest.mark.parametrize("name", ["continued", "machines"])
def test_a_run_on_several_machines_has_none_to_be_compared_with(name: str) -> None:
    """Resumed on another machine, or measured on those of a cluster: which row is whose?"""
    other = {**MACHINE, "cpu": {"model": "B", "torch_threads": 2}}
    mixed = {**MACHINE, name: [other]}
    assert why_not_comparable(COLUMNS["step_seconds"], "cpu", MACHINE, mixed) == (
        "it was measured with more than one cpu model"
    )
    assert why_not_comparable(COLUMNS["step_seconds"], "cpu", mixed, MACHINE) == (
        "another cpu model: A, here B"
    )
    same = {**MACHINE, name: [MACHINE]}
    assert why_not_comparable(COLUMNS["step_seconds"], "cpu", MACHINE, same) is None


@pytest.mark.parametrize(
    ("metric", "device"),
    [
        ("simulated_peak_bytes", "cuda"), ("saved_bytes", "cuda"), ("parameters", "cuda"),
        ("relative_error", "cpu"), ("accuracy", "cpu"), ("max_batch_size", "simulated"),
        ("layer_bytes", "simulated"), ("live_peak_bytes", "cpu"),
    ],
)  # fmt: skip
def test_what_is_counted_or_seeded_is_compared_everywhere(metric: str, device: str) -> None:
    assert why_not_comparable(COLUMNS[metric], device, MACHINE, None) is None


@pytest.mark.parametrize(
    ("low", "old_high", "outcome"),
    [(1.3, 1.0, "fail"), (1.05, 1.0, "pass"), (1.3, 1.25, "pass")],
)
def test_noise_counts_on_both_sides(
    tmp_path: Path, low: float, old_high: float, outcome: str
) -> None:
    """1.4 where 1.0 was is beyond 1.1 of it; not if either interval reaches over."""
    before = rows.runtime(step_ratio=1.0, step_ratio_low=0.9, step_ratio_high=old_high)
    old = rows.write(tmp_path / "old", "runtime", before)
    (old / "environment.json").write_text(json.dumps(MACHINE))
    now = rows.runtime(step_ratio=1.4, step_ratio_low=low, step_ratio_high=1.5)
    found = complete("runtime", now, folder=tmp_path / "new")
    limit = "runtime: step_ratio <= 1.1 * baseline"
    (verdict,) = judged(limit, *found, baseline=Baseline(old))
    assert verdict.outcome == "fail"
    (verdict,) = judged(f"{limit} beyond noise", *found, baseline=Baseline(old))
    assert verdict.outcome == outcome
    assert verdict.message == ("within its noise" if outcome == "pass" else "")


def test_standard_errors_are_noise_too(tmp_path: Path) -> None:
    row = rows.error(relative_error=1.25, relative_error_se=0.1)
    found = complete("error", row, folder=tmp_path)
    assert judged("error: relative_error <= 1 beyond noise", *found)[0].outcome == "pass"
    assert judged("error: relative_error <= 0.9 beyond noise", *found)[0].outcome == "fail"


def test_one_csv_as_a_baseline(tmp_path: Path) -> None:
    folder = rows.write(tmp_path, "memory", rows.memory(saved_bytes=100))
    baseline = Baseline(folder / "memory.csv")
    assert baseline.find("memory", {k: rows.memory()[k] for k in _KEY}) is not None
    assert baseline.devices("runtime", {k: rows.runtime()[k] for k in rows.runtime()}) == []


_KEY = [name for name in rows.memory() if name not in ("status", "message")]


def test_baselines_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        Baseline(tmp_path / "nowhere")
    (tmp_path / "memory.csv").write_text("model,method\n")
    with pytest.raises(BenchError, match="column batch_size is missing"):
        Baseline(tmp_path).find("memory", rows.memory())


def test_a_baseline_that_is_named_as_no_table(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").touch()
    with pytest.raises(UsageError, match=r"mine\.csv is named as no table: expected a run "):
        Baseline(tmp_path / "mine.csv")


@pytest.mark.parametrize(
    ("device", "metric", "outcome"),
    [
        ("simulated", "saved_bytes", "fail"),
        ("cpu", "simulated_peak_bytes", "fail"),
        ("cpu", "live_peak_bytes", "pass"),
    ],
)
def test_a_simulated_figure_in_doubt_passes_nothing(
    tmp_path: Path, device: str, metric: str, outcome: str
) -> None:
    row = rows.memory(device=device, status="doubtful", message="mul differs", **{metric: 7})
    found = complete("memory", row, folder=tmp_path)
    (verdict,) = judged(f"memory: {metric} <= 8", *found)
    assert verdict.outcome == outcome
    if outcome == "fail":
        assert "doubtful: mul differs" in verdict.message
