"""Tables of earlier versions: what they lack, and what their rows are taken for."""

from collections.abc import Sequence

from xconv_bench.knobs import usual_allotment
from xconv_bench.results.schema import Cell, Schema

_CONVERTED = frozenset({"xconv", "quantized", "rad-sampling", "rad-projection"})


def is_older(header: Sequence[str], schema: Schema) -> bool:
    """Return whether ``header`` is that of an earlier version of a table with this ``schema``.

    It may lack columns that were added later, or have them in another place.
    """
    added = {column.name for column in schema.columns if column.is_added}
    return (
        len(set(header)) == len(header)
        and set(header) <= set(schema.names)
        and [name for name in header if name not in added]
        == [name for name in schema.names if name not in added]
    )


def complete(row: dict[str, Cell], schema: Schema) -> dict[str, Cell]:
    """Return a row of an earlier version with all columns, in their order.

    All layers were compressed then, unless training was told to leave the first one exact.
    """
    columns = schema.names
    found = {column: row.get(column) for column in columns}
    if "first" in columns and found["first"] in (None, "as the others"):
        found["first"] = "compressed" if _swaps_convolutions(row) else None
    if "allot" in columns and found["allot"] is None and _swaps_convolutions(row):
        found["allot"] = usual_allotment(row)
    return found


def _swaps_convolutions(row: dict[str, Cell]) -> bool:
    families = str(row.get("compress") or "").split(",")
    return row.get("method") in _CONVERTED and "conv" in families and row.get("probes") != 0
