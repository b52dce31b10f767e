"""The largest batches as bars."""

from pathlib import Path
from typing import Any

from run_directories import XCONV

from xconv_bench.configuration import MaxBatchConfiguration
from xconv_bench.report.canvas import kept_as
from xconv_bench.report.pictures import plot
from xconv_bench.results.schema import TABLES


def row(size: int | None, **cells: Any) -> dict[str, Any]:
    key = MaxBatchConfiguration("resnet50").key
    status = "oom" if size is None else "ok"
    nothing = dict.fromkeys(TABLES["max_batch"].names)
    return {**nothing, **key, "status": status, "max_batch_size": size, **cells}


def test_a_bar_a_method(tmp_path: Path) -> None:
    rows = [row(100), row(250, **XCONV), row(None, method="offload")]
    png, svg = plot("max_batch", rows, tmp_path)
    text = svg.read_text()
    assert (png.name, svg.name) == ("max_batch.png", "max_batch.svg")
    assert "250  (2.50×)" in text and "out of memory" in text and "16 GiB of memory" in text


def test_a_long_name_is_shown_whole(tmp_path: Path) -> None:
    name = {**XCONV, "compress": "conv,relu,pool,act,dropout,linear,norm", "first": "compressed"}
    _, svg = plot("max_batch", [row(100), row(250, **name)], tmp_path)
    text = svg.read_text()
    assert "conv,relu,pool,act,dropout,linear,norm" in text and "first compressed" in text


def test_a_picture_a_setting(tmp_path: Path) -> None:
    rows = [row(100), row(50, image_size=448), row(None, image_size=896)]
    with kept_as("pdf"):
        names = [path.name for path in plot("max_batch", rows, tmp_path)]
    assert names == ["max_batch_224px.pdf", "max_batch_448px.pdf"]
    assert plot("max_batch", [], tmp_path) == []
