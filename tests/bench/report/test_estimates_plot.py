"""The picture of single weights: bands, points, and what lies beyond the edges."""

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from variance_rows import Row, estimates_sweep, variance_row

from xconv_bench.report import canvas
from xconv_bench.report.pictures import plot
from xconv_bench.report.rows import Beside
from xconv_bench.results.schema import TABLES

Rows = list[Row]


def texts(path: Path) -> str:
    """Every line of text in an SVG."""
    return "\n".join(re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text()))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The pictures in the order in which they are saved; none is written."""
    pictures: list[Figure] = []

    def keep(picture: Figure, folder: Path, name: str) -> list[Path]:
        pictures.append(picture)
        return [folder / name]

    monkeypatch.setattr(canvas, "_save", keep)
    return pictures


def titles(picture: Figure) -> list[str]:
    return [axes.get_title() for axes in picture.axes if axes.get_visible()]


def test_the_same_rows_make_the_same_files(tmp_path: Path) -> None:
    rows = estimates_sweep(schemes=("multi",), probes=(4,))
    first, again = (plot("estimates", rows, tmp_path / name) for name in "ab")
    assert [path.name for path in first] == ["estimates.png", "estimates.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert "layer 0" in texts(first[1])


def test_panels_of_three_schemes_stand_below_each_other(drawn: list[Figure]) -> None:
    plot("estimates", estimates_sweep(probes=(4, 16)), Path())
    assert titles(drawn[0]) == [
        f"xconv {scheme} r={probes}"
        for probes in (4, 16)
        for scheme in ("independent", "multi", "orthogonal")
    ]


def test_of_many_numbers_of_probes_three_are_drawn(drawn: list[Figure]) -> None:
    rows = estimates_sweep(schemes=("multi",), probes=(4, 16, 64, 256, 1024))
    plot("estimates", rows, Path())
    assert titles(drawn[0]) == ["xconv multi r=4", "xconv multi r=64", "xconv multi r=1024"]


def test_weights_stand_by_their_exact_gradient(drawn: list[Figure]) -> None:
    rows = [
        row | {"exact_gradient": g, "exact_low": g - 1, "exact_high": g + 1, "estimate": e}
        for row, g, e in zip(
            estimates_sweep(schemes=("multi",), probes=(4,), weights=4),
            (0.5, -0.5, 0.0, 1.0), (0.6, 99.0, 0.1, -99.0), strict=True,
        )
    ]  # fmt: skip
    plot("estimates", rows, Path())
    (panel,) = drawn[0].axes
    found = [(list(line.get_xdata()), list(line.get_ydata())) for line in panel.get_lines()]
    assert found[0][1] == [-0.5, 0.0, 0.5, 1.0]
    # Those within the panel are at their values, the others at its edges, of height 0 to 1.
    assert found[1:] == [([1, 2], [0.1, 0.6]), ([0], [1]), ([3], [0])]
    assert panel.get_ylim() == (-6.0, 6.0)


def test_the_layers_asked_for_have_a_picture_each(tmp_path: Path, drawn: list[Figure]) -> None:
    rows = estimates_sweep(("0", "5", "7"), ("multi",), (4,))
    paths = plot("estimates", rows, tmp_path, Beside(layers=["7", "5"]))
    assert [path.name for path in paths] == ["estimates_layer1", "estimates_layer2"]
    assert [path.name for path in plot("estimates", rows, tmp_path, Beside(layers=["7"]))] == [
        "estimates"
    ]
    assert [path.name for path in plot("estimates", rows, tmp_path, Beside(layers=["other"]))] == [
        "estimates"
    ]


def test_settings_are_never_mixed(tmp_path: Path, drawn: list[Figure]) -> None:
    rows = [
        *estimates_sweep(schemes=("multi",), probes=(4,), batch_size=32),
        *estimates_sweep(schemes=("multi",), probes=(4,), batch_size=64),
    ]
    paths = plot("estimates", rows, tmp_path)
    assert [path.name for path in paths] == ["estimates_batch32", "estimates_batch64"]


def test_a_single_minibatch_has_no_band(tmp_path: Path) -> None:
    nan = float("nan")
    rows = [
        row | {"exact_low": nan, "exact_high": nan}
        for row in estimates_sweep(schemes=("multi",), probes=(4,))
    ]
    assert len(plot("estimates", rows, tmp_path)) == 2


def test_without_estimates_nothing_is_drawn(tmp_path: Path) -> None:
    failed = variance_row(TABLES["estimates"].names, method="xconv", probes=4, status="oom")
    exact = [row | {"method": "exact", "probes": None} for row in estimates_sweep(probes=(4,))]
    for rows in ([], [failed], exact):
        assert plot("estimates", rows, tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()
