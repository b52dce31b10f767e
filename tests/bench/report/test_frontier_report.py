"""The printed frontier and its pictures."""

import io
from pathlib import Path
from typing import Any

import pytest

from xconv_bench.configuration import GradientConfiguration
from xconv_bench.report.pictures import plot
from xconv_bench.report.tables import print_table
from xconv_bench.results.schema import TABLES

Rows = list[dict[str, Any]]


def row(peak: int | None, error: float | None, seconds: float | None, **cell: Any) -> Any:
    known = {
        **GradientConfiguration("net").key,
        "status": "ok" if peak else "unsupported",
        "message": "" if peak else "no GPU",
        "peak_meter": "live_peak_bytes",
        "peak_bytes": peak,
        "peak_ratio": peak and peak / 2**30,
        "relative_error": error,
        "relative_error_se": error and 0.01,
        "step_seconds": seconds,
        "step_ratio": seconds,
    }
    return {**dict.fromkeys(TABLES["frontier"].names), **known, **cell}


ROWS = [
    row(2**30, 0.0, 1.0, method="exact", beaten_in_error_by="checkpoint"),
    row(2**29, 0.0, 1.5, method="checkpoint"),
    row(2**28, 0.5, 2.0, method="quantized", bits=1, compress="conv"),
    row(3 * 2**27, 0.25, 2.0, method="quantized", bits=2, compress="conv"),
    row(2**29, 3.0, 2.0, method="xconv", scheme="multi", probes=8, compress="conv",
        beaten_in_error_by="quantized 1 bit conv", beaten_in_time_by="checkpoint",
        beaten_in_all_by="quantized 1 bit conv"),
    row(None, None, None, method="offload"),
]  # fmt: skip


def printed(rows: Rows) -> list[str]:
    file = io.StringIO()
    print_table("frontier", rows, file=file)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_lines_stand_by_their_peak_and_name_what_beats_them() -> None:
    lines = printed(ROWS)
    order = [line.split("  ")[0] for line in lines[3:9]]
    assert order == [
        "exact", "checkpoint", "xconv multi r=8 conv", "quantized 2 bits conv",
        "quantized 1 bit conv", "offload",
    ]  # fmt: skip
    assert lines[5].endswith("quantized 1 bit conv") and "(0.50×)" in lines[4]
    assert "offload: unsupported: no GPU" in lines


@pytest.mark.parametrize("rows", [[], ROWS[-1:]])
def test_without_anything_measured(rows: Rows, tmp_path: Path) -> None:
    assert printed(rows)
    assert plot("frontier", rows, tmp_path) == []


def test_pictures(tmp_path: Path) -> None:
    paths = plot("frontier", ROWS, tmp_path)
    assert [path.name for path in paths] == [
        "frontier_error.png", "frontier_error.svg", "frontier_time.png", "frontier_time.svg"
    ]  # fmt: skip
    error, time = ((tmp_path / f"frontier_{name}.svg").read_text() for name in ("error", "time"))
    for words in ("the front", "1 bit", "2 bits", "r=8", "checkpoint", "offload: unsupported"):
        assert words in error and words in time
    assert "relative error" in error and "step (s)" in time
    assert plot("frontier", ROWS, tmp_path / "again")[1].read_text() == error
