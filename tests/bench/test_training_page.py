"""The tables of the training study: means over seeds, and the paper's figures beside ours."""

from pathlib import Path
from typing import Any

from benchmarks import paper_page
from benchmarks.training_page import _brief, write_page
from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Table

XCONV = {"method": "xconv", "scheme": "independent", "distribution": "rademacher",
         "compress": "conv,relu"}  # fmt: skip
PAGE = """\
# Words
<!-- summary -->
<!-- end -->
<!-- segmentation -->
old
<!-- end -->
between
<!-- cifar -->
<!-- end -->
<!-- mnist -->
<!-- end -->
"""


def put(folder: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True)
    Table(folder / "training.csv", TABLES["training"]).put(*rows)


def row(task: str, seed: int = 0, **columns: Any) -> dict[str, Any]:
    cell = TrainingConfiguration(
        "paper/mnist-2021", task=task, epochs=20, learning_rate=0.003, seed=seed
    ).key
    return {**cell, "status": "ok", "epoch": 20} | columns


def test_tables_stand_between_their_marks(tmp_path: Path) -> None:
    segmentation = []
    for seed, dice in enumerate((0.5, 0.7)):
        exact = {"dice": dice, "iou": 0.5, "epoch_seconds": 0.3, "simulated_peak_bytes": 2**20}
        segmentation.append(row("segmentation", seed, **exact))
        probed = exact | {"dice": dice - 0.1 * (seed + 1), "epoch_seconds": 0.6}
        segmentation.append(row("segmentation", seed, **probed, **XCONV, probes=4))
    sampled = {"method": "rad-sampling", "keep": 0.1, "compress": "conv,relu"}
    segmentation.append(row("segmentation", dice=0.6, iou=0.5, **sampled))
    segmentation.append(row("segmentation", dice=0.6, iou=0.5, **XCONV, probes=16))
    put(tmp_path / "training/tasks", segmentation)
    put(tmp_path / "training/cifar", [row("classification", accuracy=0.25)])
    mnist = [
        row("classification", accuracy=0.9, batch_size=batch, **knobs)
        for batch in (32, 1024)
        for knobs in ({}, {**XCONV, "probes": 8, "first": "exact"})
    ]
    put(tmp_path / "training/mnist", mnist)
    page = tmp_path / "training.md"
    page.write_text(PAGE)
    for _ in range(2):  # a second time changes nothing
        write_page(page, tmp_path / "training")
        lines = page.read_text().splitlines()
        assert lines[:2] == ["# Words", "<!-- summary -->"] and "between" in lines
        assert "old" not in lines and lines.count("<!-- end -->") == 4
        assert "| task | `exact` | `r=4` | `r=16` | `rad-sampling keep=0.1` |" in lines
        assert "| segmentation, Dice | 0.600 | -0.15 ± 0.64 | +0.1 | +0.1 |" in lines
        assert "| `exact` | 0.250 |  |  |" in lines
        assert "| `exact` | 0.600 | 0.500 |  | 1024 KiB |" in lines
        (probed,) = [line for line in lines if line.startswith("| `xconv independent r=4")]
        assert "| 0.450 | 0.500 | -0.15 ± 0.64 | 1024 KiB (1.00×) |" in probed
        assert "|  | B=32 | B=1024 |" in lines
        assert "| exact | 0.9000 (0.9922) | 0.9000 (0.9884) |" in lines
        assert "| r=8 | 0.9000 (0.9762) | 0.9000 (0.9625) |" in lines


def test_everything_compressed_has_a_name_of_its_own() -> None:
    """Else its rows would be averaged with those of convolutions alone."""
    spectral = row("segmentation") | {**XCONV, "scheme": "spectral", "bits": 0.5}
    everything = spectral | {"compress": "conv,relu,norm"}
    assert _brief(spectral) == paper_page._name(spectral) == "spectral 0.5 bits"
    assert _brief(everything) == paper_page._name(everything) == "all, spectral 0.5 bits"
