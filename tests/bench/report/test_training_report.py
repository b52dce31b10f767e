"""Trainings in words and pictures: gaps paired by seed, their intervals, and what diverged."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.meters.waiting import REMARK
from xconv_bench.naming import training_name
from xconv_bench.report.page.figures import condensed, outcome_of
from xconv_bench.report.pictures import plot
from xconv_bench.report.rows import Beside
from xconv_bench.report.tables import print_table
from xconv_bench.report.training_words import Gap, gap, gap_words, trained_in
from xconv_bench.results.schema import TABLES

XCONV = {"method": "xconv", "scheme": "independent", "probes": 4, "distribution": "rademacher",
         "compress": "conv,relu"}  # fmt: skip
MEASURES = {"exact": [0.90, 0.92, 0.91], "xconv": [0.85, 0.90, 0.84]}


def row(epoch: int, **columns: Any) -> dict[str, Any]:
    cell = TrainingConfiguration("net", epochs=2).key
    found = {**dict.fromkeys(TABLES["training"].names), **cell, "status": "ok", "epoch": epoch}
    return found | columns


def rows(seeds: int = 3) -> list[dict[str, Any]]:
    found = []
    for seed in range(seeds):
        for method, knobs in (("exact", {}), ("xconv", XCONV)):
            value = MEASURES[method][seed]
            common = {"seed": seed, **knobs}
            found.append(row(0, accuracy=0.1, **common))
            found.append(row(1, accuracy=value - 0.1, loss=1.0, epoch_seconds=2.0, **common))
            peak = 100 * 2**20 if method == "exact" else 60 * 2**20
            found.append(row(2, accuracy=value, loss=0.5, epoch_seconds=4.0,
                             simulated_peak_bytes=peak, **common))  # fmt: skip
    return found


def printed(found: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    print_table("training", found, file=file)
    return file.getvalue()


def test_gaps_are_paired_by_seed() -> None:
    from scipy.stats import ttest_1samp

    exact, xconv = trained_in(rows())[0].methods
    found = gap(xconv, exact, "accuracy")
    assert found is not None and found.half is not None
    differences = [a - b for a, b in zip(MEASURES["xconv"], MEASURES["exact"], strict=True)]
    interval = ttest_1samp(differences, 0).confidence_interval(0.95)
    assert found.mean == pytest.approx(np.mean(differences))
    assert found.mean - found.half == pytest.approx(interval.low)
    assert found.mean + found.half == pytest.approx(interval.high)


def test_where_less_is_better_a_gap_below_zero_is_worse() -> None:
    some = [row(2, frechet_distance=value, seed=0, **knobs)
            for value, knobs in ((10.0, {}), (12.0, XCONV))]  # fmt: skip
    exact, xconv = trained_in(some)[0].methods
    found = gap(xconv, exact, "frechet_distance")
    assert found is not None and (found.mean, found.half) == (-2.0, None)


def test_batches_and_learning_rates_are_not_mixed() -> None:
    some = rows() + [each | {"batch_size": 64, "accuracy": 0.5} for each in rows()]
    some += [each | {"learning_rate": 0.7, "accuracy": 0.4} for each in rows()]
    found = [[method.mean("accuracy") for method in each.methods] for each in trained_in(some)]
    assert found[1:] == [[0.5, 0.5], [pytest.approx(0.4), pytest.approx(0.4)]]
    assert found[0] == [pytest.approx(np.mean(values)) for values in MEASURES.values()]
    text = printed(some)
    assert text.count("batch 64") == 1 and text.count("learning rate 0.7") == 1


def test_the_table() -> None:
    text = printed(rows())
    assert "classification of digits by net" in text
    assert re.search(r"exact +3 +0\.9100 +100 MiB +3\.00 s", text)
    assert re.search(
        r"xconv independent r=4 conv,relu +3 +0\.8633 +-0\.047 ± 0\.06\d +60.0 MiB \(0\.60×\)",
        text,
    )
    assert "one seed" not in text
    assert "one seed: without others there is no interval" in printed(rows(1))
    assert printed([]) == "Nothing was measured.\n"


def test_what_diverged_or_failed_is_said() -> None:
    some = rows(1)
    some.append(row(2, status="diverged", message="loss is nan after epoch 2", seed=1, **XCONV))
    some.append(row(2, status="unsupported", message="no blocks", method="checkpoint"))
    text = printed(some)
    assert "xconv independent r=4 conv,relu: 1 of its seeds diverged" in text
    assert "checkpoint: unsupported: no blocks" in text
    text = printed([each | {"message": f"no room; {REMARK}"} for each in some])
    assert "exact: no room\n" in text and text.count(REMARK) == 1 and f"all rows: {REMARK}" in text


def test_what_a_page_says_of_a_setting_is_a_mean_over_its_seeds() -> None:
    (setting,) = condensed(TABLES["training"], rows())
    assert setting.title.endswith("classification, digits, learning rate 0.001, 2 epochs")
    exact, xconv = setting.rows
    assert exact["accuracy"] == pytest.approx(0.91) and exact["gap"] is None
    assert xconv["accuracy"] == pytest.approx(np.mean(MEASURES["xconv"]))
    assert str(xconv["gap"]).startswith("-0.047 ± 0.06")
    text = outcome_of(TABLES["training"], setting)
    assert text.startswith(
        "largest accuracy 0.863 with xconv independent r=4 conv,relu, where exact"
    )
    assert "gap to exact -0.047" in text and "simulated peak 60.0 MiB (0.60×)" in text


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (Gap(-33.74, 54.9), "-34 ± 55"),
        (Gap(-0.0056, 1e-16), "-0.0056 ± 0.0000"),
        (Gap(0.01234, 0.00347), "+0.0123 ± 0.0035"),
        (Gap(-1.6398, None), "-1.64"),
    ],
)
def test_a_gap_has_the_digits_that_its_interval_leaves(gap: Gap, text: str) -> None:
    assert gap_words(gap) == text


def test_batches_of_equal_memory() -> None:
    some = [row(2, accuracy=0.9), row(2, accuracy=0.8, batch_size=96, learning_rate=0.002, **XCONV)]
    some = [each | {"equal_memory": 1} for each in some]
    text = printed(some)
    assert "at equal memory" in text and re.search(r"r=4 conv,relu +1 +96 +0\.002", text)


def test_curves(tmp_path: Path) -> None:
    paths = plot("training", rows(), tmp_path)
    assert [path.name for path in paths] == [
        "training_classification.png", "training_classification.svg",
    ]  # fmt: skip
    text = paths[1].read_text()
    assert "accuracy" in text and "xconv independent r=4" in text and "3 seeds" in text
    assert plot("training", [row(2, status="error")], tmp_path) == []


def test_pictures_of_what_was_made(tmp_path: Path) -> None:
    found = rows(2)
    for each in found:
        folder = tmp_path / "pictures" / training_name(each)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("input", "truth", "output"):
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / f"{name}.png")
    paths = plot("training", found, tmp_path / "plots", Beside(made=tmp_path / "pictures"))
    names = [f"{name}_classification.{kind}" for name in ("training", "made")
             for kind in ("png", "svg")]  # fmt: skip
    assert [path.name for path in paths] == names
    text = paths[3].read_text()
    for title in ("input", "truth", "exact", "xconv independent r=4"):
        assert title in text
    nowhere = plot("training", found, tmp_path / "plots", Beside(made=tmp_path / "nowhere"))
    assert [path.stem for path in nowhere] == ["training_classification"] * 2


def test_each_setting_has_its_pictures(tmp_path: Path) -> None:
    found = rows(1) + [each | {"batch_size": 64} for each in rows(1)]
    for each in found:
        folder = tmp_path / "pictures" / training_name(each)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "output.png")
    paths = plot("training", found, tmp_path, Beside(made=tmp_path / "pictures"))
    assert [path.stem for path in paths if path.suffix == ".png"] == [
        "training_classification", "training_classification_2",
        "made_classification", "made_classification_2",
    ]  # fmt: skip


def test_names_of_files_differ_with_everything_that_decides() -> None:
    names = {training_name(each) for each in rows()}
    assert len(names) == 6
    changes = ({"learning_rate": 0.1}, {"first": "compressed"}, {"equal_memory": 1}, {"epochs": 9})
    assert len({training_name(row(0, **change)) for change in changes} | names) == 10


def test_a_training_under_way_says_how_far_it_is() -> None:
    under_way = [row(1, accuracy=0.3), row(0, accuracy=0.1)]
    assert "epoch 1 of 2" in printed(under_way)
