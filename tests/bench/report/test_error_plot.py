"""The pictures of errors: their points, what they name, and a picture for each setting."""

import re
from math import inf, isfinite, nan
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from gradient_rows import EXACT_BYTES, MEBIBYTE, error_row, error_sweep, exactly
from matplotlib.axes import Axes

from xconv_bench.errors import BenchError
from xconv_bench.report.pictures import plot
from xconv_bench.report.pictures.error import error_by_bytes, error_by_probes
from xconv_bench.report.rows import Beside, settings_of
from xconv_bench.results.schema import TABLES

Rows = list[dict[str, Any]]
MANY_LAYERS = tuple(f"stage{i}.conv" for i in range(21))


def texts(path: Path) -> str:
    """Every line of text in an SVG."""
    return "\n".join(re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text()))


def lines(axes: Axes) -> list[list[tuple[float, float]]]:
    """The points of each line that has any, as they are drawn."""
    found = [list(zip(*line.get_data(), strict=True)) for line in axes.get_lines()]
    return [[(float(x), float(y)) for x, y in points] for points in found]


def panels(rows: Rows, layers: list[str] | None = None) -> list[Axes]:
    (setting,) = settings_of(rows, TABLES["error"].key)
    described = error_by_probes(setting, Beside(layers=layers))
    assert described is not None
    return [axes for axes in described.draw().axes if axes.get_visible()]


def test_the_same_rows_make_the_same_files(tmp_path: Path) -> None:
    rows = error_sweep(probes=(8, 32))
    first = [path.read_bytes() for path in plot("error", rows, tmp_path / "a" / "plots")]
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": None}):
        paths = plot("error", rows, tmp_path / "b")
    assert [path.read_bytes() for path in paths] == first
    assert [path.name for path in paths] == [
        "error.png", "error.svg", "error_bytes.png", "error_bytes.svg",
    ]  # fmt: skip
    assert dict(matplotlib.rcParams) == before


def test_every_estimator_has_a_panel_with_a_line_for_each_layer() -> None:
    rows = error_sweep()
    axes = panels(rows)
    assert [panel.get_title() for panel in axes] == [
        "xconv independent relu", "xconv multi relu", "xconv orthogonal relu",
    ]  # fmt: skip
    for panel, scheme in zip(axes, ("independent", "multi", "orthogonal"), strict=True):
        for layer in ("0", "all"):
            some = [r for r in rows if (r["scheme"], r["layer"]) == (scheme, layer)]
            points = [(r["probes"], r["relative_error"]) for r in some]
            assert points in lines(panel)
    limits = axes[1].get_ylim()
    errors = [row["relative_error"] for row in rows if row["relative_error"]]
    assert limits[0] < min(errors) and max(errors) < limits[1]


def test_where_the_gradient_is_exact_the_point_is_on_the_lower_edge(tmp_path: Path) -> None:
    rows = error_sweep()
    drawn = lines(panels(rows)[0])
    some = [r for r in rows if (r["scheme"], r["layer"]) == ("independent", "7")]
    assert [(r["probes"], r["relative_error"]) for r in some[:-1]] in drawn
    assert [(512.0, 0.0)] in drawn
    _, svg, _, _ = plot("error", rows, tmp_path)
    assert "points on the lower edge" in texts(svg)
    some = [row for row in rows if row["probes"] != 512]
    _, svg, _, _ = plot("error", some, tmp_path)
    assert "lower edge" not in texts(svg)


def test_only_the_layers_asked_for_are_drawn_and_the_network() -> None:
    # One line each for layer 2, for all, and for the slope.
    assert [len(lines(panel)) for panel in panels(error_sweep(), ["2"])] == [3, 3, 3]


def test_of_many_layers_those_that_matter_are_named(tmp_path: Path) -> None:
    rows = error_sweep(MANY_LAYERS, ("multi",), (8, 32))
    sizes = {r["layer"]: r["relative_error"] for r in rows if r["probes"] == 8}
    del sizes["all"]
    largest = max(sizes, key=sizes.__getitem__)
    _, svg, _, _ = plot("error", rows, tmp_path)
    shown = texts(svg)
    assert "stage0.conv (first, smallest error)" in shown
    assert "stage20.conv (last)" in shown
    assert f"{largest} (largest error)" in shown
    assert "other layers" in shown
    assert "stage7.conv" not in shown
    # All 21, the network and the slope.
    assert len(lines(panels(rows)[0])) == 23


def test_error_against_bytes_shows_the_network_beside_exact() -> None:
    rows = error_sweep(schemes=("independent", "multi"))
    (setting,) = settings_of(rows, TABLES["error"].key)
    described = error_by_bytes(setting, Beside())
    assert described is not None
    (axes,) = described.draw().axes
    some = [r for r in rows if r["scheme"] == "multi" and r["layer"] == "all"]
    points = [(r["saved_bytes"] / MEBIBYTE, r["relative_error"]) for r in some]
    # The largest is 14 MiB.
    assert points in lines(axes)
    assert [(EXACT_BYTES / MEBIBYTE, 0.0), (EXACT_BYTES / MEBIBYTE, 1.0)] in lines(axes)
    words = [text.get_text() for text in axes.texts]
    assert words.count("r=128") == 2
    assert "exact: 14.0 MiB" in words


def test_settings_are_never_mixed(tmp_path: Path) -> None:
    settings = [
        {"model": "net.py:a", "batch_size": 8},
        {"model": "net.py:a", "batch_size": 64},
        {"model": "net.py/a", "batch_size": 8},
    ]
    rows = [row for each in settings for row in error_sweep(("0",), ("multi",), (8,), **each)]
    pngs = [path for path in plot("error", rows, tmp_path) if path.suffix == ".png"]
    assert [path.name for path in pngs[::2]] == [
        "error_net.py-a_batch8.png",
        "error_net.py-a_batch64.png",
        "error_net.py-a_batch8_2.png",
    ]
    first = texts(tmp_path / "error_net.py-a_batch8.svg")
    assert "net.py:a, batch 8," in first and "batch 64" not in first


def test_what_failed_is_named(tmp_path: Path) -> None:
    rows = error_sweep(schemes=("independent",))
    rows.append(error_row(method="xconv", scheme="multi", probes=8, status="oom"))
    for svg in plot("error", rows, tmp_path)[1::2]:
        assert "xconv multi r=8: out of memory" in texts(svg)


def test_at_half_precision_the_rounding_of_exact_layers_is_a_level(tmp_path: Path) -> None:
    rows = error_sweep(schemes=("multi",), probes=(8, 32))
    for row in rows:
        if row["method"] == "exact":
            row |= {"relative_error": 0.002, "bias_verdict": "biased"}
    (panel,) = panels(rows)
    assert [(0.0, 0.002), (1.0, 0.002)] in lines(panel)
    assert panel.get_ylim()[0] < 0.002


def test_rounding_above_the_errors_lies_within_the_picture() -> None:
    rows = error_sweep(schemes=("multi",), probes=(8, 32))
    for row in rows:
        if row["method"] == "exact":
            row |= {"relative_error": 50.0, "bias_verdict": "biased"}
    (panel,) = panels(rows)
    assert panel.get_ylim()[1] > 50


@pytest.mark.parametrize("odd", [nan, inf])
def test_an_error_that_is_not_finite_leaves_the_others_their_picture(odd: float) -> None:
    rows = error_sweep(("0",), ("multi",), (8, 32))
    odd_row = next(row for row in rows if (row["layer"], row["probes"]) == ("0", 8))
    odd_row |= {"relative_error": odd}
    (panel,) = panels(rows)
    errors = [row["relative_error"] for row in rows if row["method"] == "xconv"]
    low, high = panel.get_ylim()
    assert all(low < error < high for error in errors if isfinite(error))
    (setting,) = settings_of(rows, TABLES["error"].key)
    assert error_by_bytes(setting, Beside()) is not None


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [exactly("all", 8)],
        [error_row(method="xconv", scheme="multi", probes=8, status="error")],
        [exactly("all", 8, method="xconv", scheme="multi", probes=8)],
    ],
    ids=["no rows", "exact alone", "failures alone", "all of them exact"],
)
def test_without_errors_nothing_is_drawn(rows: Rows, tmp_path: Path) -> None:
    assert plot("error", rows, tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()


def test_one_number_of_probes_is_drawn() -> None:
    (panel,) = panels(error_sweep(("0",), ("multi",), (64,)))
    left, right = panel.get_xlim()
    assert left < 64 < right
    assert len(panel.get_yticks()) >= 3


def test_a_dollar_sign_is_no_formula(tmp_path: Path) -> None:
    _, svg, _, _ = plot("error", error_sweep(("$a$",), ("multi",), (8,), model="$m$"), tmp_path)
    assert "$a$" in texts(svg) and "$m$" in texts(svg)


def test_a_file_in_the_way_is_explained(tmp_path: Path) -> None:
    (tmp_path / "plots").write_text("mine")
    with pytest.raises(BenchError, match="plots cannot be used: File exists"):
        plot("error", error_sweep(), tmp_path / "plots")
