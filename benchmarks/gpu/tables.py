"""The CSVs of a part, as far as they exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from xconv_bench.knobs import KNOBS
from xconv_bench.naming import method_words


def read(path: Path) -> pd.DataFrame:
    """Return the rows of ``path``; none if there is no table or no row yet."""
    try:
        return pd.read_csv(path)
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return pd.DataFrame()


def tests(folder: Path) -> pd.DataFrame:
    """Return the rows of all tests."""
    return pd.concat([read(path) for path in sorted(folder.glob("tests*.csv"))] or [pd.DataFrame()])


def measured(path: Path) -> pd.DataFrame:
    """Return the rows whose status is ok, with a column ``variant``: the method in a few words."""
    rows = read(path)
    if rows.empty:
        return rows
    rows = rows[rows.status == "ok"].copy()
    rows["variant"] = [variant(row) for _, row in rows.iterrows()]
    return rows


def failures(path: Path) -> str:
    """Return in words how many rows have which status, except ok and unsupported ones."""
    rows = read(path)
    if rows.empty:
        return ""
    counts = rows.status[~rows.status.isin(["ok", "unsupported"])].value_counts()
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def variant(row: pd.Series) -> str:
    """Return the method of a row and its knobs, as in ``xconv independent r=8 conv,relu``."""
    return method_words({"method": row.method, **{name: _value(row.get(name)) for name in KNOBS}})


def _value(cell: Any) -> str | int | float | None:
    """Return the value of a cell: pandas reads whole numbers beside empty cells as floats."""
    if cell is None or pd.isna(cell):
        return None
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
