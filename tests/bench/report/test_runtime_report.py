"""Times, printed and drawn, and where a method wins."""

import io
from pathlib import Path
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.meters.waiting import REMARK
from xconv_bench.report.pictures import plot
from xconv_bench.report.tables import print_table
from xconv_bench.report.tables.methods import is_win, wins
from xconv_bench.results.schema import TABLES

Row = dict[str, Any]


def row(size: int, seconds: float, ratio: float | None = None, half: float = 0.1) -> Row:
    method: Row = {} if ratio is None else {
        "method": "xconv", "scheme": "multi", "probes": 8, "distribution": "rademacher",
        "compress": "conv",
    }  # fmt: skip
    cell = Configuration("conv:4", batch_size=2, image_size=size)
    figures = {f"{phase}_seconds": seconds for phase in ("forward", "backward", "step")}
    if ratio is not None:
        figures |= {f"{phase}_ratio": ratio for phase in ("forward", "backward", "step")}
        figures |= {"step_ratio_low": ratio - half, "step_ratio_high": ratio + half}
    known = {**cell.key, **method, "status": "ok", "message": "", "rounds": 9}
    return {**dict.fromkeys(TABLES["runtime"].names), **known, **figures}


def failed(size: int) -> Row:
    figures = {
        name: None for name in TABLES["runtime"].names if "seconds" in name or "ratio" in name
    }
    return {**row(size, 1.0, 1.0), **figures, "status": "oom", "message": "no room"}


ROWS = [row(8, 1.0), row(8, 0.5, 0.5), row(16, 2.0), row(16, 1.9, 0.95), row(32, 4.0), failed(32)]


def printed(rows: list[Row]) -> list[str]:
    file = io.StringIO()
    print_table("runtime", rows, file=file)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_win_is_one_of_the_whole_interval() -> None:
    assert is_win(ROWS[1]) and not is_win(ROWS[3]) and not is_win(ROWS[0])
    assert not is_win({**ROWS[1], "step_ratio_high": None})
    assert list(wins(ROWS)) == ["xconv multi r=8 conv is quicker than exact in 1 of 2 shapes: 8 px"]


def test_the_printed_table() -> None:
    lines = printed(ROWS)
    assert lines[0] == "conv:4, batch 2, float32, cpu, 9 rounds"
    assert lines[2].split() == [
        "image",
        "(px)",
        "method",
        "forward",
        "backward",
        "step",
        "step",
        "ratio",
    ]
    assert "0.50× (0.40 to 0.60)" in lines[4]
    assert lines[4].startswith("         8  xconv multi r=8 conv")
    assert any("out of memory" in line for line in lines)
    assert lines[-1].endswith("in 1 of 2 shapes: 8 px")
    disturbed = [row | {"message": f"{row['message']}; {REMARK}".strip("; ")} for row in ROWS]
    notes = [line for line in printed(disturbed) if "no room" in line or "busy" in line]
    assert notes == [
        "32 px: xconv multi r=8 conv: out of memory: no room",
        f"all rows: {REMARK}",
    ]
    assert printed([]) == ["Nothing was measured."]


def test_the_picture(tmp_path: Path) -> None:
    paths = plot("runtime", ROWS, tmp_path)
    assert [path.name for path in paths] == ["runtime.png", "runtime.svg"]
    text = paths[1].read_text()
    for words in ("0.50×", "0.95×", "out of memory", "conv:4, batch 2"):
        assert words in text
    assert plot("runtime", ROWS, tmp_path / "again")[1].read_text() == text


def test_without_ratios_there_is_no_picture(tmp_path: Path) -> None:
    assert plot("runtime", ROWS[:1], tmp_path) == plot("runtime", [], tmp_path) == []
