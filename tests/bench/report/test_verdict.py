"""The verdict: each kind of answer from rows made by hand, and what is said where there is none."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from run_directories import MEBIBYTE, XCONV, error_row, make_run, memory_row, runtime_row

from xconv_bench.configuration import (
    AdviceConfiguration,
    AverageErrorConfiguration,
    GradientConfiguration,
    MaxBatchConfiguration,
    TrainingConfiguration,
    VarianceConfiguration,
)
from xconv_bench.report.page.document import page_of
from xconv_bench.report.page.markdown import markdown_of
from xconv_bench.report.page.verdict import MOST_VERDICTS, RunVerdict, verdict_of
from xconv_bench.results.recorded import RecordedRun, RecordedTable, read_runs
from xconv_bench.results.schema import TABLES, Cell

Row = dict[str, Cell]
GIBIBYTE = 2**30
CHECKPOINT: dict[str, Cell] = {"method": "checkpoint"}
SPECTRAL: dict[str, Cell] = {
    "method": "xconv", "scheme": "spectral", "bits": 0.5, "compress": "conv", "allot": "network",
    "first": "exact",
}  # fmt: skip
XCONV_NAME = "xconv multi r=8 conv"
SPECTRAL_NAME = "xconv spectral 0.5 bits conv"


def verdict(**tables: Iterable[Mapping[str, Cell]]) -> RunVerdict:
    recorded = {
        name: RecordedTable([{**dict.fromkeys(TABLES[name].names), **row} for row in rows], b"", "")
        for name, rows in tables.items()
    }
    return verdict_of(RecordedRun("run", Path(), recorded, None))


def said(**tables: Iterable[Mapping[str, Cell]]) -> str:
    """Return the only verdict as a page says it."""
    (found,) = verdict(**tables).verdicts
    method = f"{found.answer.method}: " if found.answer.method else ""
    return " ".join([f"{found.title}: {method}{found.answer.words}.", *found.answer.remarks])


def frontier_row(peak: int, error: float | None, ratio: float | None, **cells: Any) -> Row:
    figures: Row = {
        "peak_meter": "live_peak_bytes", "peak_bytes": peak * MEBIBYTE, "peak_ratio": peak / 400,
        "relative_error": error, "step_seconds": ratio, "step_ratio": ratio,
    }  # fmt: skip
    return {**GradientConfiguration("resnet50").key, "status": "ok", **figures, **cells}


EXACT = frontier_row(400, 0.0, 1.0, step_ratio=None)


def max_batch_row(size: int | None, **cells: Any) -> Row:
    key = MaxBatchConfiguration("resnet50", device="simulated").key
    outcome = {"status": "oom"} if size is None else {"status": "ok", "max_batch_size": size}
    return {**key, **outcome, "limited_by": "memory" if size else None, **cells}


def training_rows(dice: Iterable[float], peak: int, **cells: Any) -> list[Row]:
    return [
        {
            **TrainingConfiguration("unet", task="segmentation", epochs=1, seed=seed).key,
            "status": "ok", "epoch": 1, "dice": each, "live_peak_bytes": None,
            "simulated_peak_bytes": peak * MEBIBYTE, **cells,
        }
        for seed, each in enumerate(dice)
    ]  # fmt: skip


def test_the_least_memory_with_its_error_and_time() -> None:
    rows = [EXACT, frontier_row(80, 0.031, 1.2, **SPECTRAL)]
    assert said(frontier=rows) == (
        f"resnet50 at batch 32, 224 px, on cpu: {SPECTRAL_NAME}: 0.20× the memory of exact "
        "(80.0 MiB of 400 MiB), gradient error 3.1 %, 1.20× the time. "
        "No other method was measured beside exact."
    )


def test_less_memory_with_too_large_an_error_is_no_answer() -> None:
    rows = [
        EXACT,
        frontier_row(60, 5.9, 1.1, **XCONV),
        frontier_row(80, 0.031, 1.2, **SPECTRAL),
        frontier_row(200, 0.0, 1.3, **CHECKPOINT),
    ]
    words = said(frontier=rows)
    assert f": {SPECTRAL_NAME}: 0.20×" in words
    assert (
        f"With less memory, but not an error below the gradient itself: {XCONV_NAME} "
        "(0.15×, gradient error 5.90×, 1.10× the time)." in words
    )
    assert (
        "Better for more memory: checkpoint (0.50×, the exact gradient, 1.30× the time)." in words
    )


def test_next_to_the_least_memory_the_error_decides() -> None:
    rows = [EXACT, frontier_row(100, 0.9, 1.2, **XCONV), frontier_row(101, 0.05, 1.2, **SPECTRAL)]
    assert f": {SPECTRAL_NAME}: 0.25× the memory of exact" in said(frontier=rows)
    rows[2] = frontier_row(103, 0.05, 1.2, **SPECTRAL)
    words = said(frontier=rows)
    assert f": {XCONV_NAME}: 0.25×" in words
    assert f"Better for more memory: {SPECTRAL_NAME} (0.26×" in words


def test_a_tie_is_named() -> None:
    rows = [memory_row(400), *(memory_row(300, **each) for each in (XCONV, CHECKPOINT))]
    assert f": {XCONV_NAME}: 0.75×" in said(memory=rows)
    assert "The same holds for checkpoint." in said(memory=rows)


def test_what_is_worse_in_all_is_no_better_for_more_memory() -> None:
    rows = [EXACT, frontier_row(80, 0.01, 1.2, **SPECTRAL), frontier_row(90, 0.5, 1.1, **XCONV)]
    words = said(frontier=rows)
    assert "Better" not in words
    assert f"The next is {XCONV_NAME} (0.23×, gradient error 50 %, 1.10× the time)." in words


def test_the_fastest_is_named_once() -> None:
    rows = [
        EXACT,
        frontier_row(80, 0.01, 1.5, **SPECTRAL),
        frontier_row(90, 0.5, 1.4, **XCONV),
        frontier_row(95, 0.6, 1.1, method="rad-sampling", keep=0.1),
    ]
    assert (
        said(frontier=rows).count("Fastest of those that save memory: rad-sampling keep=0.1") == 1
    )
    assert "Fastest" not in said(frontier=rows[:3])


def test_no_error_is_small_enough() -> None:
    rows = [EXACT, frontier_row(80, 5.9, 1.1, **XCONV), frontier_row(90, 1.2, 2.0, **SPECTRAL)]
    assert said(frontier=rows) == (
        "resnet50 at batch 32, 224 px, on cpu: no method measured has an error below the gradient "
        f"itself; nearest is {SPECTRAL_NAME} (0.23×, gradient error 1.20×, 2.00× the time)."
    )


def test_nothing_saves_memory() -> None:
    rows = [EXACT, frontier_row(404, 0.0, 1.1, **CHECKPOINT)]
    assert (
        "no method measured with an error below the gradient itself needs less than exact; the "
        "least is checkpoint (1.01×, the exact gradient, 1.10× the time)." in said(frontier=rows)
    )


def test_missing_errors_and_times_are_said() -> None:
    simulated = [memory_row(peak, step_seconds=None) for peak in (400, 300)]
    words = said(memory=[simulated[0], {**simulated[1], **XCONV}])
    assert words.endswith("Neither gradient errors nor times were measured here.")
    assert (
        "0.75× the memory of exact (300 MiB of 400 MiB)." in words and "exact gradient" not in words
    )
    timed = [memory_row(400), memory_row(300, step_seconds=0.6, **XCONV)]
    assert said(memory=timed).endswith("Gradient errors were not measured here.")
    assert "1.20× the time" in said(memory=timed)


def test_what_is_kept_is_not_called_the_peak() -> None:
    rows = [memory_row(400), memory_row(300, **XCONV)]
    kept: list[Row] = [{**row, "live_peak_bytes": None, "saved_bytes": 2**20} for row in rows]
    kept[1]["saved_bytes"] = 2**19
    assert "0.50× what exact keeps for the backward pass (512 KiB of 1024 KiB)" in said(memory=kept)


def test_an_unknown_error_is_no_small_one() -> None:
    rows = [EXACT, frontier_row(60, None, 1.0, **XCONV), frontier_row(80, 0.1, 1.2, **SPECTRAL)]
    words = said(frontier=rows)
    assert f": {SPECTRAL_NAME}: 0.20×" in words
    assert f"The error is not known of {XCONV_NAME}." in words


def test_without_exact_there_is_no_ratio() -> None:
    words = said(memory=[memory_row(300, **XCONV)])
    assert f"{XCONV_NAME}: 300 MiB." in words and "×" not in words
    assert "There is no figure of exact to compare with." in words


def test_rounding_and_the_floor_are_the_exact_gradient() -> None:
    near = frontier_row(80, 3e-7, 1.2, **SPECTRAL)
    assert "the exact gradient" in said(frontier=[EXACT, near])
    noisy = frontier_row(80, 0.003, 1.2, floor_error=0.004, **SPECTRAL)
    assert "the exact gradient" in said(frontier=[EXACT, noisy])
    assert "gradient error 0.3 %" in said(frontier=[EXACT, {**noisy, "floor_error": 0.001}])


def test_a_disturbed_time_is_called_so() -> None:
    rows = [EXACT, frontier_row(80, 0.01, 1.5, cpu_wait_part=0.3, **SPECTRAL)]
    assert "1.50× the time (disturbed by other work)." in said(frontier=rows)


def test_the_largest_batch() -> None:
    rows = [max_batch_row(100), max_batch_row(240, **XCONV), max_batch_row(200, **CHECKPOINT)]
    assert said(max_batch=rows) == (
        f"resnet50 at 224 px in 16 GiB, simulated: {XCONV_NAME}: a batch of 240, 2.40× the 100 of "
        "exact. The next fits 200: checkpoint. "
        "Neither gradient errors nor times were measured here."
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [max_batch_row(None), max_batch_row(4, **XCONV)],
            "a batch of 4, where exact does not fit",
        ),
        ([max_batch_row(9), max_batch_row(9, **XCONV)], "no method fits a larger batch than exact"),
        (
            [max_batch_row(9), max_batch_row(64, limited_by="max", **XCONV)],
            "no larger batch was tried, which may fit as well",
        ),
        (
            [max_batch_row(9), *(max_batch_row(12, **each) for each in (XCONV, CHECKPOINT))],
            "As large a batch fits with checkpoint.",
        ),
    ],
    ids=["exact does not fit", "none larger", "limited by the search", "a tie"],
)
def test_batches_beside_exact(rows: list[Row], words: str) -> None:
    assert words in said(max_batch=rows)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            {"memory_budget_bytes": 8 * GIBIBYTE, "peak_bytes": 7 * GIBIBYTE},
            "resnet50 at batch 32, 224 px in 8 GiB, on cpu: the plan: a peak of 7168 MiB "
            "(measured), within the 8 GiB allowed, gradient error 2.0 %.",
        ),
        (
            {"memory_budget_bytes": 8 * GIBIBYTE, "peak_bytes": 9 * GIBIBYTE},
            "9216 MiB (measured), beyond the 8 GiB allowed",
        ),
        (
            {"target_error": 0.01, "predicted_peak_bytes": 7 * GIBIBYTE},
            "a peak of 7168 MiB (predicted, not measured), gradient error 2.0 %, beyond the 1.0 % "
            "allowed.",
        ),
    ],
    ids=["within", "beyond", "predicted"],
)
def test_a_plan(cells: dict[str, Cell], words: str) -> None:
    plan: Row = {**AdviceConfiguration("resnet50", "xconv").key, "layer": "all", "status": "ok"}
    assert words in said(advice=[{**plan, "relative_error": 0.02, **cells}])


def test_training_beside_exact() -> None:
    exact = training_rows([0.80, 0.82, 0.81], 400)
    good = training_rows([0.79, 0.82, 0.83], 200, **SPECTRAL)
    bad = training_rows([0.50, 0.52, 0.51], 100, **XCONV)
    words = said(training=[*exact, *good, *bad])
    assert words.startswith(
        f"segmentation with unet at batch 32, 224 px, on cpu: {SPECTRAL_NAME}: Dice 0.813, where "
        "exact has 0.810, a gap of +0.003 ± 0.038 over 3 seeds, which may be chance, "
        "0.50× the memory of exact."
    )
    assert f"Worse than exact: {XCONV_NAME}, Dice -0.3" in words
    single = said(training=[exact[0], good[0]])
    assert "over 1 seed, which says nothing about chance" in single and "Worse" not in single


def test_errors_without_a_peak() -> None:
    rows = [
        error_row(0.0, saved_bytes=400 * MEBIBYTE, bias_verdict="exact"),
        error_row(0.1, saved_bytes=100 * MEBIBYTE, **SPECTRAL),
    ]
    words = said(error=rows)
    kept = "0.25× what exact keeps for the backward pass (100 MiB of 400 MiB)"
    assert f"{SPECTRAL_NAME}: {kept}, gradient error 10 %." in words
    assert "Times were not measured here." in words
    free = error_row(0.0, saved_bytes=50 * MEBIBYTE, **{**CHECKPOINT, "bias_verdict": "exact"})
    assert "checkpoint: 0.12× what exact keeps" in said(error=[*rows, free])
    rows[1]["bias_verdict"] = "biased"
    assert "gradient error 10 % and biased." in said(error=rows)


def test_variance_beside_that_of_minibatches() -> None:
    key = VarianceConfiguration("resnet50").key
    shared: Row = {**key, "layer": "all", "status": "ok"}
    rows: list[Row] = [
        {**shared, "saved_bytes": 400 * MEBIBYTE, "variance_ratio": 0.0},
        {**shared, "saved_bytes": 100 * MEBIBYTE, "variance_ratio": 0.021, **SPECTRAL},
    ]
    assert "gradient" not in said(variance=rows)
    assert "(100 MiB of 400 MiB), 2.1 % added to the variance of minibatches." in said(
        variance=rows
    )


def test_time_and_average_error() -> None:
    times = {"step_ratio_low": 0.8, "step_ratio_high": 0.95}
    rows = [runtime_row(1.0), runtime_row(0.9, 0.9, **times, **SPECTRAL)]
    assert f"{SPECTRAL_NAME}: 0.90× the time of exact (0.80× to 0.95×)." in said(runtime=rows)
    rows[1]["step_ratio_high"] = 1.05
    assert "no method is faster than exact beyond chance; nearest is" in said(runtime=rows)
    slower = [runtime_row(1.0), runtime_row(2.0, 2.0, step_ratio_low=1.9, **SPECTRAL)]
    assert "no method is faster than exact; nearest is" in said(runtime=slower)
    shared: Row = {**AverageErrorConfiguration("resnet50").key, "layer": "all", "status": "ok"}
    ages: list[Row] = [
        {**shared, "average_gradient_error": 2.0},
        {**shared, "average_gradient_error": 2.2, **SPECTRAL},
    ]
    assert "1.10× the average gradient error of exact." in said(age=ages)


def test_failures_only() -> None:
    failed = [memory_row(None), memory_row(None, **XCONV)]
    assert said(memory=failed) == (
        "resnet50 at batch 32, 224 px, on cpu: nothing was measured (2 out of memory): "
        "16 GiB are not enough."
    )
    rows = [memory_row(400), memory_row(None, **XCONV)]
    assert "only exact was measured, nothing beside it (1 out of memory)." in said(memory=rows)
    some = [memory_row(400), memory_row(300, **XCONV), memory_row(None, **CHECKPOINT)]
    assert "Not measured: 1 out of memory of 3." in said(memory=some)


def test_doubtful_figures_are_no_answer() -> None:
    rows = [memory_row(400), memory_row(100, **{**XCONV, "status": "doubtful"})]
    assert "nothing is beyond doubt (1 ok, 1 doubtful)." in said(memory=rows)
    exact_in_doubt = [{**rows[0], "status": "doubtful"}, memory_row(300, **CHECKPOINT)]
    assert "×" not in said(memory=exact_in_doubt)
    words = said(memory=[*rows, memory_row(300, **CHECKPOINT)])
    assert "checkpoint: 0.75×" in words and "Left out: 1 of 3, whose simulation differs" in words


def test_the_frontier_says_what_its_parts_do_not() -> None:
    rows = [memory_row(400), memory_row(300, **XCONV)]
    both = verdict(memory=rows, frontier=[EXACT, frontier_row(300, 0.5, 1.0, **XCONV)])
    assert [each.table.name for each in both.verdicts] == ["frontier"]
    other = [{**row, "batch_size": 8} for row in rows]
    both = verdict(memory=other, frontier=[EXACT, frontier_row(300, 0.5, 1.0, **XCONV)])
    assert [each.table.name for each in both.verdicts] == ["frontier", "memory"]


def test_answers_come_before_failures_and_only_some_are_shown() -> None:
    rows = [{**row, "model": "a"} for row in (memory_row(None), memory_row(None, **XCONV))]
    for number in range(MOST_VERDICTS + 1):
        rows += [memory_row(400, model=f"n{number}"), memory_row(300, model=f"n{number}", **XCONV)]
    found = verdict(memory=rows)
    assert all(each.answer.method for each in found.verdicts)
    assert (len(found.verdicts), found.more) == (MOST_VERDICTS, 2)


def test_a_table_that_judges_nothing_has_no_verdict(tmp_path: Path) -> None:
    shared: Row = dict.fromkeys(TABLES["estimates"].names)
    key = {**VarianceConfiguration("resnet50").key, "layer": "conv", "weight_index": 0}
    run = make_run(tmp_path / "run", estimates=[{**shared, **key, "status": "ok"}])
    assert verdict_of(read_runs([run])[0][0]).verdicts == []
    text = page_of(*read_runs([run]))
    assert 'href="#verdict"' not in text and 'href="#summary">To the summary' in text


def test_the_page_begins_with_it_and_its_picture(tmp_path: Path) -> None:
    rows = [EXACT, frontier_row(80, 0.031, 1.2, **SPECTRAL)]
    run = make_run(tmp_path / "run", frontier=rows)
    text = page_of(*read_runs([run]))
    places = [
        text.index(each) for each in ('id="verdict"', "0.20× the memory", "<img", 'id="summary"')
    ]
    assert places == sorted(places)
    assert text.count("Picture: Memory against error and time, error against peak memory") == 1
    assert "0.20× the memory of exact" in markdown_of(*read_runs([run])).split("- **")[0]


def test_several_runs_have_one_each(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, frontier=[EXACT]) for name in ("a", "b")]
    text = page_of(*read_runs(runs))
    assert text.count('<div class="verdict">') == 2
    assert "<img" not in text[text.index('id="verdict"') : text.index('id="summary"')]
