"""The pictures of a table, as figures of matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xconv_bench.errors import UsageError, suggest
from xconv_bench.interface.frames import rows_of_frame
from xconv_bench.results.table import Row

if TYPE_CHECKING:
    from pandas import DataFrame

    from xconv_bench.report.canvas.picture import Picture

_FUNCTIONS = {"age": "error", "estimates": "variance", "training": "train"}
"""The functions that return tables of another name than theirs."""


def plot(table: DataFrame, picture: str | None = None) -> Picture:
    """Draw a table that a function of this package returned, as ``xconv-bench report`` draws it.

    Args:
        table: the table, rows left out or not.
        picture: name of the picture, as its file has it, where a table has several, such as
            ``"error_bytes"``. Default: the first.

    Returns:
        A ``matplotlib.figure.Figure`` that a notebook shows as the last line of a cell.

    Raises:
        UsageError: it is no such table, nothing in it can be drawn, or it has no such picture.
    """
    schema, rows = rows_of_frame(table)
    found = _pictures(schema.name, rows)
    if not found:
        raise UsageError(f"nothing is drawn of these rows of {schema.name}: no row has a figure")
    name = next(iter(found)) if picture is None else picture
    if name not in found:
        raise UsageError(f"picture={name!r} {_unknown(name, schema.name, found)}")
    return found[name]


def _unknown(name: str, table: str, found: Mapping[str, Picture]) -> str:
    """Return what is wrong with the name of a picture: another table has it, or none."""
    from xconv_bench.report.pictures import DESCRIBED

    owners = [each for each in DESCRIBED if f"{name}_".startswith(f"{each}_")]
    if not owners or owners == [table]:
        return f"is unknown: {suggest(name, found)}"
    owner = _FUNCTIONS.get(owners[0], owners[0])
    return f"is drawn of what {owner}() returns; of this table there is {', '.join(found)}"


def _pictures(table: str, rows: Sequence[Row]) -> dict[str, Picture]:
    """Return what a report draws of the rows of a table, by the names of the files."""
    from xconv_bench.report.canvas import drawn
    from xconv_bench.report.pictures import DESCRIBED
    from xconv_bench.report.rows import Beside
    from xconv_bench.statistics.law import fit_laws

    if table not in DESCRIBED:
        return {}
    laws = fit_laws(rows) if table == "variance" else []
    with warnings.catch_warnings(action="ignore"):  # figures without a place on an axis
        return dict(drawn(DESCRIBED[table](rows, Beside(laws))))
