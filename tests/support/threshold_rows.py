"""Rows of tables as thresholds see them, written without measuring."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xconv_bench.configuration import (
    Configuration,
    ErrorConfiguration,
    GradientConfiguration,
    MemoryConfiguration,
)
from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Table

XCONV = {"method": "xconv", "scheme": "independent", "probes": 8, "distribution": "rademacher",
         "compress": "conv,relu"}  # fmt: skip


def memory(**columns: Any) -> dict[str, Any]:
    """A row of ``memory.csv``: exact, unless ``columns`` say otherwise."""
    return _row(MemoryConfiguration("resnet18", device="simulated"), columns)


def runtime(**columns: Any) -> dict[str, Any]:
    """A row of ``runtime.csv``."""
    return _row(Configuration("resnet18"), columns)


def error(**columns: Any) -> dict[str, Any]:
    """A row of ``error.csv``, of all layers."""
    cell = GradientConfiguration("paper/cifar").extended(ErrorConfiguration)
    return _row(cell, {"layer": "all", **columns})


def _row(cell: Configuration, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {**cell.key, "status": "ok", "message": "", **columns}


def write(folder: Path, table: str, *rows: Mapping[str, Any]) -> Path:
    """Put rows into a table of a run directory, and return the directory."""
    Table(folder / f"{table}.csv", TABLES[table]).put(*rows)
    return folder
