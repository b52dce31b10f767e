"""Rows of two tables become one, and each is told what beats it."""

from pathlib import Path
from typing import Any

import pytest

from xconv_bench.configuration import GradientConfiguration
from xconv_bench.experiments.frontier import (
    error_cell,
    frontier_rows,
    memory_cell,
    runtime_cell,
)
from xconv_bench.results.run_directory import RunDirectory

REPEATS = 8
EXACT = GradientConfiguration("net")
CELLS = {
    "exact": EXACT,
    "xconv": GradientConfiguration("net", "xconv", "multi", 8, "rademacher", "conv"),
    "checkpoint": GradientConfiguration("net", "checkpoint"),
    "offload": GradientConfiguration("net", "offload"),
}
FIGURES: dict[str, tuple[Any, ...]] = {
    # peak, seconds, error, verdict
    "exact": (100, 1.0, 0.0, "exact"),
    "xconv": (60, 2.0, 0.5, "unbiased"),
    "checkpoint": (60, 1.5, 3e-7, "exact"),
}


def rows(folder: Path, **changed: Any) -> dict[str, Any]:
    with RunDirectory("frontier", "net", folder) as run:
        memory, runtime, error = (run.table(name) for name in ("memory", "runtime", "error"))
        for method, (peak, seconds, found, verdict) in {**FIGURES, **changed}.items():
            cell = CELLS[method]
            memory.put(
                {**memory_cell(cell).key, "status": "ok", "message": "m; both",
                 "live_peak_bytes": peak, "step_seconds": 99.0}
            )  # fmt: skip
            runtime.put(
                {**runtime_cell(cell).key, "status": "ok", "step_seconds": seconds,
                 "step_ratio": None if method == "exact" else seconds}
            )  # fmt: skip
            error.put(
                {**error_cell(cell, REPEATS).key, "layer": "all", "status": "ok",
                 "message": "both", "relative_error": found, "relative_error_se": 0.1,
                 "bias_verdict": verdict}
            )  # fmt: skip
        failure = {"status": "unsupported", "message": "no GPU"}
        memory.put({**memory_cell(CELLS["offload"]).key, **failure})
        error.put({**error_cell(CELLS["offload"], REPEATS).key, "layer": "all", **failure})
        found_rows = frontier_rows(list(CELLS.values()), memory, runtime, error, REPEATS)
        table = run.table("frontier")
        table.put(*found_rows)
        return {str(row["method"]): row for row in table.rows()}


def test_what_beats_what(tmp_path: Path) -> None:
    found = rows(tmp_path)
    beaten = ("beaten_in_error_by", "beaten_in_time_by", "beaten_in_all_by")
    assert [found["exact"][column] for column in beaten] == ["checkpoint", None, None]
    assert [found["xconv"][column] for column in beaten] == ["checkpoint"] * 3
    assert [found["checkpoint"][column] for column in beaten] == [None] * 3
    assert found["checkpoint"]["relative_error"] == 0  # rounding is no error
    assert (found["xconv"]["peak_ratio"], found["xconv"]["step_ratio"]) == (0.6, 2.0)
    assert found["xconv"]["message"] == "m; both"


def test_what_failed_has_no_place(tmp_path: Path) -> None:
    row = rows(tmp_path)["offload"]
    assert (row["status"], row["message"]) == ("unsupported", "no GPU")
    assert row["peak_bytes"] is None and row["beaten_in_all_by"] is None


@pytest.mark.parametrize("error", [0.5, None])
def test_less_memory_is_a_place_on_the_front(tmp_path: Path, error: float | None) -> None:
    found = rows(tmp_path, xconv=(10, 2.0, error, "unbiased"))
    assert found["xconv"]["beaten_in_error_by"] is None
    assert found["xconv"]["beaten_in_all_by"] is None


def test_peaks_are_measured_where_their_simulation_is_in_doubt(tmp_path: Path) -> None:
    with RunDirectory("frontier", "net", tmp_path) as run:
        memory, runtime, error = (run.table(name) for name in ("memory", "runtime", "error"))
        memory.put(
            {
                **memory_cell(EXACT).key,
                "status": "doubtful",
                "message": "mul differs",
                "live_peak_bytes": 5,
            }
        )
        runtime.put({**runtime_cell(EXACT).key, "status": "ok", "step_seconds": 1.0})
        error.put({**error_cell(EXACT, REPEATS).key, "layer": "all", "status": "ok"})
        (row,) = frontier_rows([EXACT], memory, runtime, error, REPEATS)
    assert (row["status"], row["message"], row["peak_bytes"]) == ("doubtful", "mul differs", 5)
