"""Tables of earlier versions: what they lack, and what their rows are taken for."""

from collections.abc import Sequence

from xconv_bench.knobs import KNOBS, usual_allotment
from xconv_bench.results.column import Cell

ADDED = frozenset({*KNOBS, "floor_error", "cpu_wait_part"})
"""Columns that tables did not have from the beginning, or had in another place."""

_CONVERTED = frozenset({"xconv", "quantized", "rad-sampling", "rad-projection"})


def is_older(header: Sequence[str], columns: Sequence[str]) -> bool:
    """Return whether ``header`` is that of an earlier version of a table with these ``columns``."""
    return (
        len(set(header)) == len(header)
        and set(header) <= set(columns)
        and _lasting(header) == _lasting(columns)
    )


def complete(row: dict[str, Cell], columns: Sequence[str]) -> dict[str, Cell]:
    """Return a row of an earlier version with all ``columns``, in their order.

    All layers were compressed then, unless training was told to leave the first one exact.
    """
    found = {column: row.get(column) for column in columns}
    if "first" in columns and found["first"] in (None, "as the others"):
        found["first"] = "compressed" if _swaps_convolutions(row) else None
    if "allot" in columns and found["allot"] is None and _swaps_convolutions(row):
        found["allot"] = usual_allotment(row)
    return found


def _lasting(columns: Sequence[str]) -> list[str]:
    return [column for column in columns if column not in ADDED]


def _swaps_convolutions(row: dict[str, Cell]) -> bool:
    families = str(row.get("compress") or "").split(",")
    return row.get("method") in _CONVERTED and "conv" in families and row.get("probes") != 0
