"""The study's page: tables between marks, everything else as it was written."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.accuracy_page import cell, write_page

PAGE = """\
# Words
<!-- error initial -->
old
<!-- end -->
more words
<!-- variance initial -->
<!-- end -->
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    start = tmp_path / "accuracy/initial"
    start.mkdir(parents=True)
    cells = [
        (layer, scheme, probes)
        for layer in ("conv1", "all")
        for scheme in ("independent", "multi", "orthogonal")
        for probes in (4, 16)
    ]
    rows = pd.DataFrame(cells, columns=["layer", "scheme", "probes"])
    rows["method"], rows["status"] = "xconv", "ok"
    exact = pd.DataFrame([{"layer": "all", "method": "exact", "status": "ok"}])
    rows = pd.concat([exact, rows], ignore_index=True)  # without probes: the others become floats
    value = 100 / rows["probes"]
    rows.assign(relative_error=value).to_csv(start / "error.csv", index=False)
    rows.assign(variance_ratio=value * (rows["probes"] < 16)).to_csv(
        start / "variance.csv", index=False
    )
    laws = rows[rows.probes == 4].assign(smallest_probes=100)
    laws["points"] = (laws["layer"] == "all") * 2
    laws.to_csv(start / "variance_law.csv", index=False)
    return tmp_path


def test_tables_stand_between_their_marks(folder: Path) -> None:
    page = folder / "accuracy.md"
    page.write_text(PAGE)
    for _ in range(2):  # a second time changes nothing
        write_page(page, folder / "accuracy", ["initial"])
        lines = page.read_text().splitlines()
        assert lines[:2] == ["# Words", "<!-- error initial -->"] and "more words" in lines
        assert "old" not in lines
        assert any(line.startswith("| layer | independent r=4 | indep") for line in lines)
        assert lines.count("| conv1 | 25.0 | 6.2 | 25.0 | 6.2 | 25.0 | 6.2 |") == 1
        assert "| all | 25.0 | – | 25.0 | – | 25.0 | – | 100 |" in lines
        assert "| conv1 | 25.0 | – | 25.0 | – | 25.0 | – | – |" in lines  # no law of exact layers
        assert lines.count("<!-- end -->") == 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "–"),
        (7e-5, "7e-05"),
        (0.00069, "0.00069"),
        (0.0312, "0.031"),
        (0.5, "0.50"),
        (123.4, "123"),
    ],
)
def test_small_numbers_are_no_zeros_and_no_dashes(value: float, shown: str) -> None:
    assert cell(value) == shown


def test_a_page_without_the_marks(folder: Path) -> None:
    (folder / "accuracy.md").write_text("# Words\n")
    with pytest.raises(SystemExit, match="the page has no place for 'error initial'"):
        write_page(folder / "accuracy.md", folder / "accuracy", ["initial"])
