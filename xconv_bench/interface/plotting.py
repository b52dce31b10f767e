"""The pictures of a table, as figures of matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xconv_bench.errors import UsageError, suggest
from xconv_bench.interface.frames import rows_of_frame
from xconv_bench.results.table import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture
    from pandas import DataFrame


def plot(table: DataFrame, picture: str | None = None) -> Picture:
    """Draw a table that a function of this package returned, as ``xconv-bench report`` draws it.

    Args:
        table: the table, rows left out or not.
        picture: name of the picture, as its file has it, where a table has several, such as
            ``"error_bytes"``. Default: the first.

    Returns:
        A ``matplotlib.figure.Figure``.

    Raises:
        UsageError: it is no such table, nothing in it can be drawn, or it has no such picture.
    """
    # A notebook shows figures once this has been imported.
    import matplotlib.pyplot  # noqa: F401

    schema, rows = rows_of_frame(table)
    found = _pictures(schema.name, rows)
    if not found:
        raise UsageError(f"nothing is drawn of these rows of {schema.name}: no row has a figure")
    name = next(iter(found)) if picture is None else picture
    if name not in found:
        raise UsageError(f"picture={name!r} is unknown: {suggest(name, found)}")
    return found[name]


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
