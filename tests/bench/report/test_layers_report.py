"""Memory along a step, printed and drawn."""

import io
from pathlib import Path
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.report.pictures import plot
from xconv_bench.report.published import published_layers_peak
from xconv_bench.report.tables import print_table
from xconv_bench.report.tables.layers import held_by, peak_of
from xconv_bench.results.schema import TABLES

MIB = 2**20
STEP = [
    # phase, layer, MiB behind it, and the most since the moment before
    ("forward", "a.conv", 12, 13), ("forward", "a.relu", 14, 14), ("forward", "b.conv", 20, 21),
    ("forward", "loss", 20, 20), ("backward", "b.conv", 18, 25), ("backward", "a.relu", 12, 19),
    ("backward", "end", 10, 12),
]  # fmt: skip


def step(cell: Configuration, scale: float = 1.0) -> list[dict[str, Any]]:
    return [
        {
            **dict.fromkeys(TABLES["layers"].names), **cell.key, "position": position,
            "status": "ok",
            "phase": phase, "layer": layer, "kind": "Conv2d", "start_bytes": 10 * MIB,
            "layer_bytes": int(scale * now * MIB), "layer_peak_bytes": int(scale * peak * MIB),
        }
        for position, (phase, layer, now, peak) in enumerate(STEP)
    ]  # fmt: skip


EXACT = Configuration("resnet50", batch_size=128, image_size=64, device="simulated")
PROBED = Configuration(
    "resnet50", "xconv", "multi", 8, "rademacher", "conv,relu", batch_size=128, image_size=64,
    device="simulated",
)  # fmt: skip
FAILED = {
    **dict.fromkeys(TABLES["layers"].names),
    **Configuration("resnet50", "offload", batch_size=128, image_size=64, device="simulated").key,
    "position": 0,
    "status": "unsupported",
    "message": "no GPU",
}
ROWS = [*step(EXACT), *step(PROBED, 0.8), FAILED]


def printed(rows: list[dict[str, Any]]) -> list[str]:
    file = io.StringIO()
    print_table("layers", rows, file=file)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_peak_and_holders() -> None:
    peak = peak_of(step(EXACT))
    assert peak is not None and (peak["layer"], peak["phase"]) == ("b.conv", "backward")
    assert held_by(step(EXACT)) == {"a.conv": 2 * MIB, "a.relu": 2 * MIB, "b.conv": 6 * MIB}
    assert peak_of([FAILED]) is None


def test_the_printed_tables() -> None:
    lines = printed(ROWS)
    assert lines[0] == "resnet50, batch 128, 64 px, float32, simulated"
    cells = [line.split() for line in lines]
    assert ["exact", "25.0", "MiB", "15.0", "MiB", "b.conv,", "backward", "830", "MiB"] in cells
    probed = next(line for line in lines if line.startswith("xconv multi"))
    assert "20.0 MiB (0.80×)" in probed and "572 MiB" in probed
    assert any(line.startswith("offload") and "unsupported" in line for line in lines)
    assert ["b.conv", "6144", "KiB", "4915", "KiB"] in cells
    assert "offload: unsupported: no GPU" in lines


def test_nothing_measured(tmp_path: Path) -> None:
    assert printed([]) == ["Nothing was measured."]
    assert plot("layers", [FAILED], tmp_path) == []
    assert any("no GPU" in line for line in printed([FAILED]))


def test_the_picture(tmp_path: Path) -> None:
    paths = plot("layers", ROWS, tmp_path)
    assert [path.name for path in paths] == ["layers.png", "layers.svg"]
    text = paths[1].read_text()
    for words in ("forward", "backward", "xconv multi r=8 conv,relu", "offload: unsupported"):
        assert words in text
    assert plot("layers", ROWS, tmp_path / "again")[1].read_text() == text


def test_what_was_published_is_of_one_setting() -> None:
    assert published_layers_peak(EXACT.key) == 0.87e9
    assert published_layers_peak(PROBED.key) == 0.60e9
    assert published_layers_peak({**EXACT.key, "batch_size": 64}) is None
    assert published_layers_peak({**EXACT.key, "model": "resnet18"}) is None
    assert published_layers_peak({**EXACT.key, "method": "checkpoint"}) is None
