"""One table on the disk, read without the lock of its run: nothing is made and nothing changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xconv_bench.errors import BenchError
from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Row, Table, UnreadableTable


@dataclass(frozen=True)
class RecordedTable:
    """The rows of a table, at least one, and the whole lines of its file.

    ``remark`` says what was left out of it; it is empty where nothing was.
    """

    rows: list[Row]
    content: bytes
    remark: str


def read_recorded(path: Path, name: str, remedy: str = "") -> RecordedTable | None:
    """Read the file at ``path`` as the table ``name``; None where there is no file.

    Raises BenchError where it cannot be read, is no such table, or has no row. It says what to do:
    the ``remedy``, where one is given, if another content would do.
    """
    try:
        return _read(path, name)
    except UnreadableTable as error:
        is_of_the_file = isinstance(error.__cause__, OSError)
        chosen = error.remedy if is_of_the_file else remedy or error.remedy
        raise BenchError(f"{error.reason}; {chosen}") from error


def read_tables(
    run: Path, names: Iterable[str], remarks: list[str] | None = None
) -> dict[str, list[Row]]:
    """Read tables of a run, which may be in use; a table that is not there has no rows.

    Adds a line to ``remarks`` on each table of which a line was left out. Raises BenchError for a
    file that cannot be read, is no table of this version, or has no row.
    """
    found = {name: read_recorded(run / f"{name}.csv", name) for name in names}
    if remarks is not None:
        remarks += [each.remark for each in found.values() if each is not None and each.remark]
    return {name: [] if each is None else each.rows for name, each in found.items()}


def _read(path: Path, name: str) -> RecordedTable | None:
    table = Table(path, TABLES[name])
    content = table.content()
    if content is None:
        return None
    rows = table.rows_in(content)
    whole = table.whole_lines(content)
    again = f"measure again with --output {path.parent}"
    if not content:
        raise UnreadableTable(f"{path} is empty", again)
    if not rows:
        is_cut = whole != content
        reason = "was cut off before its first row ended" if is_cut else "has no rows"
        raise UnreadableTable(f"{path} {reason}", again)
    nameless = next((n for n, row in enumerate(rows, 2) if not _is_named(row)), None)
    if nameless is not None:
        raise UnreadableTable(
            f"{path}: line {nameless} lacks its model, method or status",
            f"delete this line and {again}",
        )
    remark = f"{path}: its last line is incomplete: this line is left out"
    return RecordedTable(rows, whole, remark if whole != content else "")


def _is_named(row: Row) -> bool:
    return all(row[column] for column in ("model", "method", "status"))
