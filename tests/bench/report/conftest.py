"""Rows as ``Table.rows`` returns them."""

from collections.abc import Callable

import pytest

from xconv_bench.configuration import MemoryConfiguration
from xconv_bench.results.schema import TABLES, Cell

MakeRow = Callable[..., dict[str, Cell]]


@pytest.fixture
def make_row() -> MakeRow:
    """Make a row of ``memory.csv``, given any of its columns."""

    def make(**cells: Cell) -> dict[str, Cell]:
        row: dict[str, Cell] = dict.fromkeys(TABLES["memory"].names)
        return {**row, **MemoryConfiguration("resnet50").key, "status": "ok", **cells}

    return make


@pytest.fixture
def pair(make_row: MakeRow) -> list[dict[str, Cell]]:
    """An exact row and one of xconv in the same setting."""
    mebibyte = 2**20
    exact = make_row(
        saved_bytes=5207 * mebibyte,
        live_peak_bytes=5439 * mebibyte,
        step_seconds=2.0,
        parameters=25_557_032,
        convolutions=53,
    )
    probed = make_row(
        method="xconv",
        scheme="multi",
        probes=8,
        compress="relu",
        saved_bytes=3170 * mebibyte,
        live_peak_bytes=3499 * mebibyte,
        step_seconds=2.2,
        gradient_relative_error=0.8344,
        parameters=25_557_032,
        convolutions=53,
    )
    return [exact, probed]
