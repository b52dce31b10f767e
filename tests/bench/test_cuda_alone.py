"""Work that fills the GPU: no other test may run on it meanwhile."""

import csv
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.cuda


def test_running_out_of_memory_is_a_row(command: Any, tmp_path: Path) -> None:
    """VGG-16 keeps more than 100 MiB an image: 3000 images are more than any GPU has."""
    finished = command(
        "memory", "--model", "vgg16", "--method", "exact", "--batch-size", "2,3000",
        "--device", "cuda", "--output", tmp_path,
    )  # fmt: skip
    assert finished.code == 0, finished.errors
    with (tmp_path / "memory.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["ok", "oom"]
