"""The pictures: there, the same each time, and with the words that they must show."""

import re
from collections.abc import Callable, Sequence
from math import inf, nan
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from xconv_bench.errors import BenchError
from xconv_bench.report.pictures import plot

MakeRow = Callable[..., dict[str, Any]]
Rows = Sequence[dict[str, Any]]


def texts(rows: Rows, folder: Path) -> list[str]:
    """Every line of text in the SVG."""
    _, svg = plot("memory", rows, folder)
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text())


def test_the_same_rows_make_the_same_files(pair: Rows, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in plot("memory", pair, tmp_path / "a" / "plots")]
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": None}):
        paths = plot("memory", pair, tmp_path / "b")
    assert [path.read_bytes() for path in paths] == first
    assert [path.name for path in paths] == ["memory.png", "memory.svg"]
    assert first[0].startswith(b"\x89PNG")
    assert b"<dc:date>" not in first[1]


def test_the_picture_says_what_it_shows(pair: Rows, tmp_path: Path) -> None:
    shown = texts(pair, tmp_path)
    title = "resnet50, 25,557,032 parameters, 53 convolutions, batch 32, 224 px, float32, cpu"
    assert f"Peak memory: {title}" in shown
    assert "xconv multi r=8 relu" in shown
    assert "5439 MiB" in shown
    assert "3499 MiB  (0.64×)" in shown
    assert "live peak (MiB)" in shown
    assert "saved for the backward pass" in shown


def test_one_meter_is_shown_and_the_allocator_is_preferred(
    make_row: MakeRow, tmp_path: Path
) -> None:
    both = make_row(allocated_peak_bytes=2**35, live_peak_bytes=2**33)
    assert "allocated peak (GiB)" in texts([both], tmp_path)
    lacking = make_row(method="xconv", live_peak_bytes=2**32)
    shown = texts([both, lacking], tmp_path)
    assert "live peak (MiB)" in shown
    assert {"8192 MiB", "4096 MiB  (0.50×)"} <= set(shown)


def test_a_simulation_alone_is_drawn(make_row: MakeRow, tmp_path: Path) -> None:
    row = make_row(device="simulated", simulated_peak_bytes=2**35)
    assert "simulated peak (GiB)" in texts([row], tmp_path)


def test_failures_are_words_in_the_place_of_bars(make_row: MakeRow, tmp_path: Path) -> None:
    rows = [
        make_row(live_peak_bytes=2**30),
        make_row(method="xconv", status="oom", live_peak_bytes=2**40),
        make_row(method="rad", status="timeout"),
        make_row(method="checkpoint"),
    ]
    shown = texts(rows, tmp_path)
    assert {"out of memory", "timed out", "not measured"} <= set(shown)
    assert "live peak (MiB)" in shown


@pytest.mark.parametrize("odd", [nan, inf])
def test_a_peak_that_is_not_finite_leaves_the_others_their_bars(
    odd: float, make_row: MakeRow, tmp_path: Path
) -> None:
    rows = [make_row(live_peak_bytes=2**30), make_row(method="xconv", live_peak_bytes=odd)]
    shown = " ".join(texts(rows, tmp_path))
    assert "live peak (" in shown and f"{odd} " in shown


def test_failures_alone_have_no_axis(make_row: MakeRow, tmp_path: Path) -> None:
    shown = texts([make_row(status="oom")], tmp_path)
    assert "out of memory" in shown
    assert not any("peak (" in text for text in shown)


def test_a_dollar_sign_is_no_formula(make_row: MakeRow, tmp_path: Path) -> None:
    rows = [make_row(model=model, live_peak_bytes=1) for model in ("$a$", "$b^$")]
    assert "$b^$: exact" in texts(rows, tmp_path)


def test_the_users_settings_stay_as_they_were(pair: Rows, tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    plot("memory", pair, tmp_path)
    assert dict(matplotlib.rcParams) == before


def test_without_rows_nothing_is_drawn(tmp_path: Path) -> None:
    assert plot("memory", [], tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()


def test_a_file_in_the_way_is_explained(pair: Rows, tmp_path: Path) -> None:
    (tmp_path / "plots").write_text("mine")
    with pytest.raises(BenchError, match="plots cannot be used: File exists"):
        plot("memory", pair, tmp_path / "plots")
    (tmp_path / "memory.svg").mkdir()
    with pytest.raises(BenchError, match=r"memory\.svg cannot be used: Is a directory"):
        plot("memory", pair, tmp_path)
