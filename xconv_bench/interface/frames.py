"""Rows as ``pandas.DataFrame``, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xconv_bench.errors import UsageError
from xconv_bench.results.schema import TABLES, Schema
from xconv_bench.results.table import Row

if TYPE_CHECKING:
    from pandas import DataFrame

_ENDS = ("status", "message")
_DTYPES = {int: "Int64", float: "float64", str: "string"}


def frame_of(rows: Sequence[Row]) -> DataFrame:
    """Return rows of one table, as ``Table.rows`` returns them, with the dtypes of its schema.

    How each row ended comes right after what tells the rows apart: nobody looks for it among 40
    columns.
    """
    import pandas

    schema = schema_of(list(rows[0]))
    columns = {
        column.name: pandas.array([row[column.name] for row in rows], dtype=_DTYPES[column.kind])
        for column in schema.columns
    }
    frame = pandas.DataFrame(columns)
    first = [*_apart(frame, schema.key), *_ENDS]
    return frame[[*first, *(name for name in schema.names if name not in first)]]


def _apart(frame: DataFrame, key: Sequence[str]) -> list[str]:
    """Return model, method and the fewest further columns by which the rows differ."""
    found = ["model", "method"]
    count = len(frame[found].drop_duplicates())
    for name in key:
        finer = len(frame[[*found, name]].drop_duplicates()) if name not in found else count
        if finer > count:
            found, count = [*found, name], finer
    return found


def rows_of_frame(frame: DataFrame) -> tuple[Schema, list[Row]]:
    """Return the table of a frame and its rows. Raises UsageError as ``schema_of`` does."""
    import pandas

    schema = schema_of(list(frame.columns))
    rows: list[Row] = [
        {
            column.name: None if pandas.isna(value) else column.kind(value)
            for column, value in zip(schema.columns, values, strict=True)
        }
        for values in frame[list(schema.names)].itertuples(index=False, name=None)
    ]
    return schema, rows


def schema_of(columns: Sequence[str]) -> Schema:
    """Return the largest table all of whose columns are there. Raises UsageError without one."""
    found = [schema for schema in TABLES.values() if set(schema.names) <= set(columns)]
    if not found:
        raise UsageError(
            "no table has these columns: give what a function of xconv_bench returned, rows left "
            "out or not"
        )
    return max(found, key=lambda schema: len(schema.names))
