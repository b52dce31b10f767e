"""The page on whole networks: rows are counted, and goals are judged by them."""

from pathlib import Path
from unittest import mock

import pytest

from benchmarks import whole_network
from benchmarks.whole_network import METHODS, known, measure, wanted, write
from benchmarks.whole_network_page import page
from xconv_bench.measurement.counting import Simulation


def rows() -> list[dict]:
    return [measure("paper/cifar", 32, (4, 8), name) for name in METHODS]


def test_rows_hold_what_is_counted(tmp_path: Path) -> None:
    found = {row["method"]: row for row in rows()}
    assert not any(row["message"] for row in found.values())
    assert (
        found["all"]["saved_bytes"] < found["paper"]["saved_bytes"] < found["exact"]["saved_bytes"]
    )
    exact = found["exact"]
    cell = whole_network.Configuration(
        "paper/cifar", batch_size=exact["max_batch"], image_size=32, device="simulated"
    )
    taken = Simulation(cell).count(exact["max_batch"]).peak_bytes
    assert taken == pytest.approx(whole_network.BUDGET_BYTES, rel=1e-3)
    write(found.values(), tmp_path)
    assert [row["peak_bytes"] for row in known(tmp_path)] == [
        str(row["peak_bytes"]) for row in found.values()
    ]
    assert "| paper/cifar | 32 | 8 |" in (tmp_path / "whole_network.md").read_text()


def test_what_cannot_be_measured_says_why() -> None:
    row = measure("paper/mnist", 28, (2, 4), "checkpoint")
    assert row["message"] == "" or row["peak_bytes"] == ""
    with mock.patch.dict(METHODS, {"exact": {"method": "invertible"}}):
        row = measure("paper/mnist", 28, (2, 4), "exact")
    assert row["peak_bytes"] == "" and "is not reversible" in row["message"]
    others = [{**row, "method": name} for name in METHODS]
    assert "| paper/mnist | 28 | 4 | – |" in page(others)


@pytest.mark.parametrize(("peak", "said"), [(500, "met"), (600, "missed")])
def test_goals_are_judged(peak: int, said: str) -> None:
    row = {"model": "resnet18", "image_size": "224", "batch_size": "64", "max_batch": "1"}
    found = [
        {**row, "method": name, "peak_bytes": str((1443 if name == "exact" else peak) * 2**20)}
        for name in METHODS
    ]
    assert f"| resnet18, 224 px, batch 64 | 1443 MiB | {peak} MiB |" in page(found)
    assert f"| 540 MiB | {said} |" in page(found)


def test_every_classifier_is_wanted_once() -> None:
    cells = wanted([])
    assert len(set(cells)) == len(cells) > 80 and cells[0][0] == "resnet50"
    assert wanted(["vgg16"]) == [("vgg16", 224, (16, 64))]
