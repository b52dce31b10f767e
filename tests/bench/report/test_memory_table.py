"""The printed table: whole in a pipe, as wide as the terminal in a terminal."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from xconv_bench.meters.waiting import REMARK
from xconv_bench.report.tables import print_table

MakeRow = Callable[..., dict[str, Any]]
Rows = Sequence[dict[str, Any]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")  # no codes for colour between the words


def printed(rows: Rows, file: io.StringIO | None = None) -> list[str]:
    file = file or io.StringIO()
    print_table("memory", rows, file=file)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_the_whole_of_a_small_table(pair: Rows) -> None:
    assert printed(pair)[:5] == [
        "resnet50, 25,557,032 parameters, 53 convolutions, batch 32, 224 px, float32, cpu",
        "",
        "method                           saved         live peak            step  gradient error",
        "exact                         5207 MiB          5439 MiB          2.00 s",
        "xconv multi r=8 relu  3170 MiB (0.61×)  3499 MiB (0.64×)  2.20 s (1.10×)           0.834",
    ]


def test_the_legend_explains_what_is_shown_and_nothing_else(pair: Rows) -> None:
    lines = printed(pair)
    explained = [line.split("  ")[0] for line in lines[6:]]
    assert explained == ["saved", "live peak", "step", "gradient error", "(×)"]
    assert "(×)" not in "\n".join(printed(pair[:1]))


def test_nothing_is_cut_or_wrapped_in_a_pipe(make_row: MakeRow) -> None:
    model = "/a/path/of/some/length/" * 5 + "model[bold].py:build"
    message = "a long explanation " * 20
    rows = [make_row(model=model), make_row(method="rad", status="unsupported", message=message)]
    lines = printed(rows)
    assert any(line.startswith(model) for line in lines)
    assert f"resnet50: rad: unsupported: {message.rstrip()}" in lines


def test_a_terminal_is_not_overrun_and_shows_every_figure(pair: Rows) -> None:
    for row in pair:
        row.update(simulated_peak_bytes=2**35, reserved_peak_bytes=2**34, forward_seconds=1.0)
    lines = printed(pair, Terminal())
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("method") for line in lines) > 1
    for row_label in ("exact", "xconv multi r=8 relu"):
        assert sum(line.startswith(row_label) for line in lines) > 1
    text = "\n".join(lines)
    for figure in ("3170 MiB (0.61×)", "32.0 GiB", "16384 MiB", "1.00 s", "0.834"):
        assert figure in text


def test_a_failure_is_named_beside_figures_that_there_are(make_row: MakeRow) -> None:
    rows = [
        make_row(saved_bytes=2**30, simulated_peak_bytes=2**31),
        make_row(method="xconv", status="oom", message="no memory", simulated_peak_bytes=2**30),
    ]
    text = "\n".join(printed(rows))
    assert "xconv   out of memory            1024 MiB (0.50×)" in text
    assert "xconv: out of memory: no memory" in text


def test_a_message_that_many_share_is_said_once(make_row: MakeRow) -> None:
    rows = [make_row(probes=probes, message="nvml: no driver") for probes in (1, 2, 3)]
    assert [line for line in printed(rows) if "nvml" in line] == ["3 of 3 lines: nvml: no driver"]


def test_a_busy_machine_is_told_once_and_apart(make_row: MakeRow) -> None:
    said = (REMARK, f"nvml: no driver; {REMARK}", f"nvml: no driver; {REMARK}; learnt")
    rows = [make_row(probes=n, message=message) for n, message in enumerate(said)]
    assert [line for line in printed(rows) if "nvml" in line or "busy" in line] == [
        "exact r=1: nvml: no driver",
        "exact r=2: nvml: no driver; learnt",
        f"all rows: {REMARK}",
    ]
    rows[1]["message"] = None
    assert [line for line in printed(rows) if "busy" in line] == [f"exact r=0, exact r=2: {REMARK}"]
    assert "busy" not in "".join(printed(rows[1:2]))
    assert f"exact r=0: {REMARK}" in printed(rows[:1])


def test_repeats_are_one_line_that_says_how_many(make_row: MakeRow) -> None:
    rows = [make_row(repeat=repeat, step_seconds=repeat + 1.0) for repeat in range(3)]
    lines = printed(rows)
    assert lines[2:4] == ["method  n    step", "exact   3  2.00 s"]


def test_settings_that_differ_are_columns(make_row: MakeRow) -> None:
    rows = [make_row(batch_size=size, saved_bytes=size) for size in (8, 16)]
    lines = printed(rows)
    assert lines[0] == "resnet50, 224 px, float32, cpu"
    assert lines[2:5] == ["batch  method  saved", "    8  exact     8 B", "   16  exact    16 B"]


def test_without_rows_it_says_so() -> None:
    assert printed([]) == ["Nothing was measured."]
