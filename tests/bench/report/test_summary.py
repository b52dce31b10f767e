"""Rows become one line for each configuration, compared with the exact row of their setting."""

from collections.abc import Callable
from typing import Any

import pytest

from xconv_bench.report.rows import label, outcome, summarize, title, varying
from xconv_bench.report.words import STATUS_WORDS
from xconv_bench.results.statuses import FINAL_STATUSES

MakeRow = Callable[..., dict[str, Any]]


def test_the_median_over_repeats_and_of_the_ratios_repeat_by_repeat(make_row: MakeRow) -> None:
    seconds = [(1.0, 2.0), (2.0, 2.0), (4.0, 2.0)]
    rows = [
        make_row(method=method, repeat=repeat, step_seconds=value)
        for repeat, pair in enumerate(seconds)
        for method, value in zip(("exact", "xconv"), pair, strict=True)
    ]
    exact, xconv = summarize(rows)
    assert exact.figures == {"step_seconds": 2.0}
    assert exact.ratios == {}
    assert xconv.figures == {"step_seconds": 2.0}
    assert xconv.ratios == {"step_seconds": 1.0}
    assert xconv.statuses.total() == 3


@pytest.mark.parametrize(
    "column", ["model", "batch_size", "image_size", "dtype", "device", "repeat", "seed"]
)
def test_only_the_exact_row_of_the_same_setting_is_compared(make_row: MakeRow, column: str) -> None:
    exact = make_row(saved_bytes=4, **{column: "2" if column in ("model", "dtype") else 2})
    _, xconv = summarize([exact, make_row(method="xconv", saved_bytes=1)])
    assert xconv.ratios == {}


def test_without_figures_there_are_no_ratios(make_row: MakeRow) -> None:
    exact = make_row(status="oom", saved_bytes=0)
    _, xconv = summarize([exact, make_row(method="xconv", saved_bytes=1, live_peak_bytes=2)])
    assert xconv.ratios == {}


def test_an_error_is_no_ratio(make_row: MakeRow) -> None:
    exact = make_row(gradient_relative_error=1e-7)
    _, xconv = summarize([exact, make_row(method="xconv", gradient_relative_error=0.5)])
    assert xconv.figures == {"gradient_relative_error": 0.5}
    assert xconv.ratios == {}


def test_rows_that_ended_differently_are_counted(make_row: MakeRow) -> None:
    rows = [make_row(repeat=repeat) for repeat in range(2)]
    rows.append(make_row(repeat=2, status="oom", message="no memory"))
    (summary,) = summarize(rows)
    assert outcome(summary) == "2 ok, 1 out of memory"
    assert summary.messages == [("oom", "no memory")]


def test_every_status_has_words() -> None:
    assert STATUS_WORDS.keys() == FINAL_STATUSES | {"error", "timeout"}


def test_the_title_says_what_is_the_same_and_the_label_what_is_not(make_row: MakeRow) -> None:
    small = make_row(parameters=1000, convolutions=3)
    # A row that failed before the model was counted does not contradict the others.
    large = make_row(batch_size=64, method="xconv", scheme="multi", probes=8, status="error")
    summaries = summarize([small, large])
    assert title(summaries) == "resnet50, 1,000 parameters, 3 convolutions, 224 px, float32, cpu"
    assert varying(summaries) == ["batch_size"]
    assert label(summaries[1], varying(summaries)) == "batch 64: xconv multi r=8"
    assert label(summaries[0]) == "exact"
