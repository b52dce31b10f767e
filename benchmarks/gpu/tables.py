"""The CSVs of a part, as far as they exist."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

KNOBS = ["scheme", "probes", "compress", "segments", "keep", "bits", "budget", "norm_bits"]
_PROBE_WORDS = {"probes": "r={:.0f}", "bits": "{:g} bits", "keep": "keep={:g}"}


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
    """Return the method of a row and its options, such as ``xconv independent r=8 conv,relu``."""
    words = [row.method]
    for knob in KNOBS:
        value = row.get(knob)
        if value is not None and not pd.isna(value):
            words.append(_PROBE_WORDS.get(knob, "{}").format(value))
    return " ".join(words)
