"""The average gradient error, printed and drawn: one batch for all, or what a memory holds."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from gradient_rows import age_row, age_sweep

from xconv_bench.report.pictures import plot
from xconv_bench.report.tables import print_table

Rows = list[dict[str, Any]]
BUDGET = 16 * 2**30


def printed(rows: Rows) -> list[str]:
    file = io.StringIO()
    print_table("age", rows, file=file)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def texts(rows: Rows, folder: Path) -> str:
    """Every line of text in the SVG."""
    _, svg = plot("age", rows, folder)
    return "\n".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text()))


def test_the_whole_of_a_table_at_a_budget() -> None:
    assert printed(age_sweep(BUDGET))[:6] == [
        "cifar, 32 px, float32, cpu, photos, 4096 samples, random weights, 16 GiB of memory",
        "",
        "method                   batch  minibatches            average error            floor"
        "  over floor",
        "exact                       64           32            0.040 ± 0.002    0.040 ± 0.002"
        "       1.00×",
        "xconv independent r=4      396           32    0.065 ± 0.003 (1.62×)  0.0065 ± 0.0003"
        "       10.0×",
        "xconv independent r=16     384           32    0.022 ± 0.001 (0.54×)  0.0067 ± 0.0003"
        "       3.25×",
    ]


def test_a_batch_that_was_asked_for_is_in_the_title() -> None:
    lines = printed([*age_sweep(), *age_sweep(batch_size=32)])
    assert [line.split(", ")[1] for line in lines if line.startswith("cifar")] == [
        "batch 64", "batch 32",
    ]  # fmt: skip
    assert not any(line.startswith("method") and " batch " in line for line in lines)


def test_layers_are_left_to_the_table_on_disk() -> None:
    rows = [*age_sweep(), age_row(9.0, 9.0, layer="0", batch_size=64)]
    assert printed(rows) == printed(age_sweep())


def test_a_failure_is_words() -> None:
    message = "batch normalisation: the full gradient is the mean over batches of 64"
    rows = [row | {"message": message} for row in age_sweep()]
    rows.append(age_row(None, None, method="xconv", scheme="orthogonal", probes=4, status="oom"))
    text = "\n".join(printed([row | {"batch_size": 64} for row in rows]))
    assert re.search(r"xconv orthogonal r=4 +32 +out of memory", text)
    assert "\nxconv orthogonal r=4: out of memory\n" in text
    assert text.count(message) == 1


def test_without_rows_it_says_so() -> None:
    assert printed([]) == ["Nothing was measured."]


def test_points_say_their_batch_where_batches_differ(tmp_path: Path) -> None:
    shown = texts(age_sweep(BUDGET), tmp_path)
    assert "16 GiB of memory" in shown
    assert "exact, batch 64" in shown
    assert {"batch 396", "batch 356"} <= set(shown.split("\n"))
    shown = texts(age_sweep(), tmp_path)
    assert "exact" in shown.split("\n")
    assert "batch 64" not in shown.split("\n")


def test_the_floor_needs_no_exact_row_where_batches_are_equal(tmp_path: Path) -> None:
    for rows, has_floor in ((age_sweep(), True), (age_sweep(BUDGET), False)):
        estimates = [row for row in rows if row["method"] != "exact"]
        assert ("exact" in texts(estimates, tmp_path).split("\n")) is has_floor


def test_a_batch_of_all_samples_has_no_floor(tmp_path: Path) -> None:
    rows = [row | {"exact_average_gradient_error": 0.0} for row in age_sweep()]
    rows[0] |= {"average_gradient_error": 0.0}
    assert "a minibatch holds all samples" in texts(rows, tmp_path)
    assert "exact" not in texts(rows, tmp_path).split("\n")
    assert any(line.split() == ["exact", "32", "0.000", "0.000"] for line in printed(rows))


def test_the_same_rows_make_the_same_files_and_settings_are_not_mixed(tmp_path: Path) -> None:
    rows = [*age_sweep(), *age_sweep(BUDGET)]
    paths = plot("age", rows, tmp_path / "a")
    assert [path.name for path in paths if path.suffix == ".png"] == [
        "age_batch64.png", "age_16-GiB.png",
    ]  # fmt: skip
    again = plot("age", rows, tmp_path / "b")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


@pytest.mark.parametrize(
    "rows",
    [[], age_sweep()[:1], [age_row(None, None, method="xconv", probes=4, status="oom")]],
    ids=["no rows", "exact alone", "failures alone"],
)
def test_without_estimates_nothing_is_drawn(rows: Rows, tmp_path: Path) -> None:
    assert plot("age", rows, tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()
