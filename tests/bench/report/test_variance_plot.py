"""The pictures of variances: their points, their levels, and a picture for each setting."""

import re
from math import sqrt
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from variance_rows import Row, estimator, parted, rounded, variance_row, variance_sweep

from xconv_bench.errors import BenchError
from xconv_bench.report.canvas.curves import Curves
from xconv_bench.report.pictures import plot
from xconv_bench.report.pictures.variance import (
    DEVIATION,
    ROUNDING,
    against_batch,
    against_probes,
    variance_ratio,
)
from xconv_bench.report.rows import Beside, settings_of
from xconv_bench.report.variance_laws import BATCHES_TOGETHER, laws_by_key
from xconv_bench.results.schema import TABLES
from xconv_bench.statistics.law import fit_laws

Rows = list[Row]
MANY_LAYERS = tuple(f"stage{i}.conv" for i in range(21))


def texts(path: Path) -> str:
    """All text in an SVG, its lines joined."""
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text()))


def lines(axes: Axes) -> list[list[tuple[float, float]]]:
    """The points of each line, as they are drawn."""
    found = [list(zip(*line.get_data(), strict=True)) for line in axes.get_lines()]
    return [[(float(x), float(y)) for x, y in points] for points in found]


def shown(described: Curves | None) -> list[Axes]:
    assert described is not None
    return [axes for axes in described.draw().axes if axes.get_visible()]


def ratio_panels(rows: Rows, target: float = 1.0, layers: list[str] | None = None) -> list[Axes]:
    (setting,) = settings_of(rows, TABLES["variance"].key)
    return shown(variance_ratio(setting, laws_by_key(fit_laws(rows, target)), layers))


def plotted(rows: Rows, folder: Path, layers: list[str] | None = None) -> list[str]:
    paths = plot("variance", rows, folder, Beside(fit_laws(rows), layers=layers))
    assert all(path.exists() for path in paths)
    return [path.name for path in paths if path.suffix == ".png"]


def test_the_same_rows_make_the_same_files(tmp_path: Path) -> None:
    rows = variance_sweep(("0",), ("multi",), (4, 16))
    laws = Beside(fit_laws(rows))
    first = [path.read_bytes() for path in plot("variance", rows, tmp_path / "a", laws)]
    again = [path.read_bytes() for path in plot("variance", rows, tmp_path / "b", laws)]
    assert first == again and len(first) == 4


def test_against_batch_size_a_panel_a_layer_and_a_line_for_each_number_of_probes() -> None:
    rows = variance_sweep(batches=(32, 128, 64))
    (setting,) = settings_of(rows, BATCHES_TOGETHER)
    axes = shown(against_batch(setting, "xconv multi", None))
    titles = ["layer 0", "layer 2", "layer 5", "layer 7", "all layers together"]
    assert [panel.get_title() for panel in axes] == titles
    expected = {
        # Of all layers: 4 / batch, and 1024 / r times that.
        probes: [(b, pytest.approx(sqrt((1 + ratio) * 4 / b))) for b in (32.0, 64.0, 128.0)]
        for probes, ratio in ((None, 0.0), (4, 256.0), (256, 4.0))
    }
    for line in expected.values():
        assert line in lines(axes[-1])
    assert len(lines(axes[-1])) == 5


def test_without_an_exact_row_the_exact_deviation_is_that_of_the_minibatches() -> None:
    rows = [row for row in variance_sweep(batches=(32, 64)) if row["method"] == "xconv"]
    (setting,) = settings_of(rows, BATCHES_TOGETHER)
    axes = shown(against_batch(setting, "xconv multi", ["0"]))
    assert [(b, pytest.approx(sqrt(4 / b))) for b in (32.0, 64.0)] in lines(axes[-1])


def test_with_one_batch_size_the_deviation_is_drawn_against_probes() -> None:
    rows = variance_sweep(probes=(4, 16))
    (setting,) = settings_of(rows, TABLES["variance"].key)
    whole = shown(against_probes(setting, None, DEVIATION))[-1]
    sampling = 4 / 128
    points = [(r, pytest.approx(sqrt((1 + 1024 / r) * sampling))) for r in (4.0, 16.0)]
    level = pytest.approx(sqrt(sampling))
    assert points in lines(whole)
    assert [(0.0, level), (1.0, level)] in lines(whole)


def test_a_picture_for_each_estimator_and_for_each_setting(tmp_path: Path) -> None:
    rows = variance_sweep(("0",), ("multi", "independent"), (4,), batches=(32, 64))
    names = ("multi", "independent", "ratio_batch32", "ratio_batch64")
    assert plotted(rows, tmp_path) == [f"variance_{name}.png" for name in names]
    assert "batch 64" not in texts(tmp_path / "variance_ratio_batch32.svg")
    other = variance_sweep(("0",), ("multi",), (4,), model="a/b")
    rows = [*variance_sweep(("0",), ("multi",), (4,)), *other]
    names = ("cifar", "a-b", "ratio_cifar", "ratio_a-b")
    assert plotted(rows, tmp_path / "models") == [f"variance_{name}.png" for name in names]


def test_ratios_have_a_panel_an_estimator_with_the_law_through_them() -> None:
    rows = variance_sweep(probes=(4, 16))
    axes = ratio_panels(rows)
    titles = ["xconv independent", "xconv multi", "xconv orthogonal"]
    assert [panel.get_title() for panel in axes] == titles
    multi = lines(axes[1])
    assert [(4.0, 256.0), (16.0, 64.0)] in multi
    ends = [(x, pytest.approx(1024 / x)) for x in axes[1].get_xlim()]
    assert ends in multi
    assert [(0.0, 1.0), (1.0, 1.0)] in multi


def test_intervals_lie_within_the_picture_from_end_to_end() -> None:
    rows = variance_sweep(("0",), ("multi",), (4, 16))
    for row in rows:
        if row["layer"] == "all" and row["probes"] == 4:
            row |= {"variance_ratio_low": 0.5, "variance_ratio_high": 9000.0}
    (panel,) = ratio_panels(rows)
    bars = [bar for lines in panel.collections if isinstance(lines, LineCollection)
            for bar in lines.get_segments()]  # fmt: skip
    assert any(bar[:, 1].tolist() == pytest.approx([0.5, 9000.0]) for bar in bars)
    assert panel.get_ylim()[1] > 9000
    assert panel.get_ylim()[0] < 1


def test_another_target_is_a_level_of_its_own(tmp_path: Path) -> None:
    rows = variance_sweep(("0",), ("multi",), (4, 16))
    (panel,) = ratio_panels(rows, target=0.01)
    assert [(0.0, 0.01), (1.0, 0.01)] in lines(panel)
    assert panel.get_ylim()[0] < 0.01
    plot("variance", rows, tmp_path, Beside(fit_laws(rows, 0.01)))
    assert "target 0.01" in texts(tmp_path / "variance_ratio.svg")


def test_where_the_gradient_is_exact_the_point_is_on_the_lower_edge(tmp_path: Path) -> None:
    rows = variance_sweep(("0",), ("multi",), (4, 16, 64))
    zero = {"estimator_variance": 0.0, "variance_ratio": 0.0}
    rows = [row | zero if row["probes"] == 64 and row["layer"] == "0" else row for row in rows]
    (panel,) = ratio_panels(rows)
    assert [(64.0, 0.0)] in lines(panel)
    plotted(rows, tmp_path)
    assert "on the lower edge: the gradient is exact" in texts(tmp_path / "variance_ratio.svg")


def test_of_many_layers_a_few_are_named_and_shown(tmp_path: Path) -> None:
    rows = variance_sweep(MANY_LAYERS, ("multi",), (4, 16))
    plotted(rows, tmp_path)
    for name in ("variance", "variance_ratio"):
        words = texts(tmp_path / f"{name}.svg")
        assert all(f"stage{i}.conv" in words for i in (0, 5, 10, 15, 20))
        assert "stage7.conv" not in words
    assert "other layers" in texts(tmp_path / "variance_ratio.svg")


def test_only_the_layers_asked_for_are_drawn(tmp_path: Path) -> None:
    plotted(variance_sweep(schemes=("multi",)), tmp_path, ["2"])
    for svg in tmp_path.glob("*.svg"):
        assert "layer 2" in texts(svg) and "layer 5" not in texts(svg)


def test_at_half_precision_the_error_is_drawn_over_the_rounding(tmp_path: Path) -> None:
    rows = rounded(variance_sweep(("0",), ("multi",), (4, 16)), 0.0004)
    assert "variance_rounding.png" in plotted(rows, tmp_path)
    (setting,) = settings_of(rows, TABLES["variance"].key)
    whole = shown(against_probes(setting, None, ROUNDING))[-1]
    points = [(r, pytest.approx(sqrt(1024 / r * 4 / 128))) for r in (4.0, 16.0)]
    level = pytest.approx(0.02)
    assert points in lines(whole)
    assert [(0.0, level), (1.0, level)] in lines(whole)


def test_what_failed_is_named(tmp_path: Path) -> None:
    rows = variance_sweep(("0",), ("independent",), (4,))
    rows.append(variance_row(**estimator("multi", 4), status="oom"))
    plotted(rows, tmp_path)
    for name in ("variance", "variance_ratio"):
        assert "xconv multi r=4: out of memory" in texts(tmp_path / f"{name}.svg")


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [variance_row(**parted(1.0, 0.0))],
        [variance_row(**estimator("multi", 4), status="error")],
    ],
    ids=["no rows", "exact alone", "failures alone"],
)
def test_without_estimates_nothing_is_drawn(rows: Rows, tmp_path: Path) -> None:
    assert plotted(rows, tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()


def test_a_file_in_the_way_is_explained(tmp_path: Path) -> None:
    (tmp_path / "plots").write_text("mine")
    with pytest.raises(BenchError, match="plots cannot be used: File exists"):
        plotted(variance_sweep(("0",), ("multi",), (4,)), tmp_path / "plots")
