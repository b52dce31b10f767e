"""Run directories with tables in them, without a measurement."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xconv_bench.configuration import Configuration, GradientConfiguration, MemoryConfiguration
from xconv_bench.results.schema import TABLES, Cell
from xconv_bench.results.table import Table

MEBIBYTE = 2**20
XCONV: dict[str, Cell] = {
    "method": "xconv", "scheme": "multi", "probes": 8, "distribution": "rademacher",
    "compress": "conv",
}  # fmt: skip


def memory_row(peak_mebibytes: int | None, **cells: Any) -> dict[str, Cell]:
    """A row of ``memory.csv``; without a peak it is one that ran out of memory."""
    row: dict[str, Cell] = {**MemoryConfiguration("resnet50").key, "status": "ok"}
    if peak_mebibytes is None:
        row |= {"status": "oom", "message": "16 GiB are not enough"}
    else:
        row |= {"live_peak_bytes": peak_mebibytes * MEBIBYTE, "step_seconds": 0.5}
    return {**row, **cells}


def error_row(error: float, **cells: Any) -> dict[str, Cell]:
    """A row of ``error.csv`` over all layers."""
    key = {**GradientConfiguration("resnet50").key, "repeats": 8, "layer": "all"}
    return {**key, "status": "ok", "relative_error": error, "bias_verdict": "none", **cells}


def runtime_row(seconds: float, ratio: float | None = None, **cells: Any) -> dict[str, Cell]:
    """A row of ``runtime.csv``."""
    figures = {"step_seconds": seconds, "step_ratio": ratio}
    return {**Configuration("resnet50").key, "status": "ok", **figures, **cells}


MEMORY = [memory_row(400), memory_row(300, **XCONV)]


def make_run(
    folder: Path,
    environment: Mapping[str, Any] | None = None,
    **tables: Iterable[Mapping[str, Cell]],
) -> Path:
    """Write the tables, and a record of the environment, and return ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        Table(folder / f"{name}.csv", TABLES[name]).put(*rows)
    record = {"torch": "2.6.0", "seed": 0} if environment is None else environment
    (folder / "environment.json").write_text(json.dumps(record))
    return folder
