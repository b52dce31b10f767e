"""The one place where rows of measurements are put on the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.events import Rows
from xconv_bench.launch import Job, Outcome
from xconv_bench.results.schema import COLUMNS
from xconv_bench.results.table import Row, Table


def _by_its_key(row: Mapping[str, Any]) -> dict[str, Any]:
    return {}


class RowWriter:
    """Writes the rows of cells under their keys; several threads may call it.

    Each cell is known by its last row, in the last of the ``tables``: ``known_by`` returns the
    columns that tell this row from the cell's others, from any row or key of the cell. It is
    written after all others, with the status and the message of the measurement, also where
    nothing was measured. A cell that has this row has all the others.
    """

    def __init__(
        self,
        *tables: Table,
        known_by: Callable[[Mapping[str, Any]], dict[str, Any]] = _by_its_key,
        shares_status: bool = False,
        at_once: bool = False,
    ) -> None:
        """Write to ``tables``.

        ``shares_status`` gives the status of the last row to all of them, instead of ``"ok"``;
        ``at_once`` writes rows as they come, before the measurement ends.
        """
        self._tables = tables
        self._known_by = known_by
        self._shares_status = shares_status
        self._at_once = at_once
        self._lock = Lock()

    def found(self) -> dict[tuple[str, ...], Row]:
        """Return the rows that cells are known by, by the keys of their cells."""
        table = self._tables[-1]
        found = {}
        for row in table.rows():
            if self._is_last(row, row):
                names = [name for name in table.key_columns if name not in self._known_by(row)]
                found[key_of_row(row, names)] = row
        return found

    def hear(self, cell: Configuration, event: Rows) -> list[dict[str, Any]]:
        """Write rows that came before the end of the measurement, but for the last; return them."""
        if not self._at_once:
            return []
        (table,) = (each for each in self._tables if each.path.stem == event.table)
        rows = [{**cell.key, "status": "ok", **row} for row in event.rows]
        rows = [row for row in rows if not self._is_last(row, cell.key)]
        with self._lock:
            table.put(*rows)
        return rows

    def write(self, job: Job, outcome: Outcome) -> list[Row]:
        """Write what came of a job; return for each of its cells the row that it is known by.

        The rows of a job of several cells are one a cell, in their order.
        """
        with self._lock:
            for table in self._tables[:-1]:
                for cell, rows in self._divided(job, outcome, table):
                    table.put(*({**cell.key, "status": "ok", **row} for row in rows))
            table = self._tables[-1]
            complete = [
                self._complete(*each, outcome) for each in self._divided(job, outcome, table)
            ]
            table.put(*(row for rows in complete for row in rows))
            found = [table.find({**c.key, **self._known_by(c.key)}) for c in job.cells]
        return [row for row in found if row is not None]

    def _divided(
        self, job: Job, outcome: Outcome, table: Table
    ) -> list[tuple[Configuration, list[dict[str, Any]]]]:
        rows = outcome.rows.get(table.path.stem, [])
        if len(job.cells) == 1:
            return [(job.cells[0], rows)]
        return list(zip(job.cells, [[row] for row in rows] or [[]] * len(job.cells), strict=True))

    def _complete(
        self, cell: Configuration, rows: Sequence[dict[str, Any]], outcome: Outcome
    ) -> list[dict[str, Any]]:
        """Return the rows with their key, the last one last; it holds the readings, too."""
        status = outcome.status if self._shares_status else "ok"
        others = [row for row in rows if not self._is_last(row, cell.key)]
        last = next((row for row in rows if self._is_last(row, cell.key)), {})
        return [
            *({**cell.key, "status": status, **row} for row in others),
            {**cell.key, **self._known_by(cell.key), **outcome.ending, **outcome.readings, **last},
        ]

    def _is_last(self, row: Mapping[str, Any], of: Mapping[str, Any]) -> bool:
        return all(row.get(column) == value for column, value in self._known_by(of).items())


def rows_of(cells: Sequence[Configuration], table: Table, by: str | None = None) -> list[Row]:
    """Return the rows of these cells in the order of the plan, those of a cell in that of ``by``.

    ``by`` is a column of whole numbers; without it their order is that of the table.
    """
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in table.rows() if cells else ():
        found.setdefault(key_of_row(row, cells[0].key), []).append(row)
    rows = [found.get(key_of(cell), []) for cell in cells]
    if by is not None:
        rows = [sorted(each, key=lambda row: int(row[by] or 0)) for each in rows]
    return [row for each in rows for row in each]


def key_of(cell: Configuration) -> tuple[str, ...]:
    """Return the values of a cell's key as tables hold them: some names cannot be written."""
    return key_of_row(cell.key, cell.key)


def key_of_row(row: Mapping[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    """Return the values of these columns as tables hold them."""
    return tuple(COLUMNS[name].write(row[name]) for name in names)
