"""A tidy CSV that grows by whole rows and survives a kill at any moment.

A row is one line: no cell holds a line break, so a last line without its line break is one that a
kill tore. It is not read, and it is cut off before the next row is appended.
"""

import codecs
import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from xconv_bench.errors import BenchError
from xconv_bench.results.files import append_durably, explained, write_whole
from xconv_bench.results.older import complete, is_older
from xconv_bench.results.schema import Cell, Schema

Row = dict[str, Cell]


class UnreadableTable(BenchError):
    """A file that cannot be read as a table: the reason names it, the remedy says what to do.

    Who was about to write to it may choose another directory instead.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy} or choose another --output")
        self.reason = reason
        self.remedy = remedy


class Table:
    """The rows of one CSV, at most one for each key.

    The names of the ``schema`` are its header; its key tells one row from another. Nothing
    is kept in memory and no file exists before the first row is put. One process writes at a time
    (``RunDirectory`` sees to that); any number may read. Every method raises BenchError, naming
    the file, where it cannot be used, and UnreadableTable where it is not a table with these
    columns. A table of an earlier version is one; it gets the new columns when a row is put.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self.schema = schema
        self.columns = schema.names
        self.key_columns = schema.key
        self._by_name = {column.name: column for column in schema.columns}

    def rows(self) -> list[Row]:
        """Return all rows in the order of the file, with every column, None for an empty cell."""
        return self.rows_in(self._read())

    def content(self) -> bytes | None:
        """Return the bytes of the file as they are; None where there is no file."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            is_closed = isinstance(error, PermissionError)
            raise UnreadableTable(
                f"{self.path} cannot be read: {error.strerror or error}",
                "change its permissions" if is_closed else "move it away",
            ) from error

    def rows_in(self, content: bytes) -> list[Row]:
        """Return the rows in the whole lines of ``content``, as ``rows`` does."""
        text = self._text_of(self.whole_lines(content))
        # No cell holds a line break: one that is cut off must not swallow the lines after it.
        lines = [self._cells_of(n, line) for n, line in enumerate(text.splitlines(), start=1)]
        if not lines:
            return []
        header = tuple(lines[0])
        self._check_header(header)
        rows = [self._parse_line(n, line, header) for n, line in enumerate(lines[1:], start=2)]
        return rows if header == self.columns else [complete(row, self.schema) for row in rows]

    def whole_lines(self, content: bytes) -> bytes:
        """Return ``content`` without a last line that a kill tore."""
        whole = content[: content.rfind(b"\n") + 1]
        if not whole and not self._header().startswith(content.removeprefix(codecs.BOM_UTF8)):
            raise self._foreign("it does not begin with the header of this table")
        return whole

    def find(self, key: Mapping[str, Cell]) -> Row | None:
        """Return the row with the key columns of ``key``; its further entries are not read."""
        wanted = self._key(key)
        return next((row for row in self.rows() if self._key(row) == wanted), None)

    def put(self, *rows: Mapping[str, Cell]) -> None:
        """Append ``rows``, each in the place of the row with the same key where there is one.

        They are on the disk when this returns, in their order: after a kill in the middle, the
        last is there only if all are. Columns that a row lacks are empty. Raises ValueError for a
        column that the table does not have.
        """
        unknown = sorted({column for row in rows for column in row} - set(self.columns))
        if unknown:
            raise ValueError(f"{self.path.name} has no column {', '.join(unknown)}")
        content = self._read()
        old = {self._key(row): row for row in self.rows_in(content)}
        new = {self._key(row): dict(row) for row in rows}
        with explained(self.path):
            if old.keys() & new.keys() or not self._has_our_header(content):
                write_whole(self.path, self._header() + self._lines((old | new).values()))
            else:
                header = b"" if content else self._header()
                self._append(header + self._lines(new.values()), whole_bytes=len(content))

    def clear(self) -> None:
        """Remove the file: for a table that follows from others and is written anew."""
        with explained(self.path):
            self.path.unlink(missing_ok=True)

    def _append(self, lines: bytes, whole_bytes: int) -> None:
        """Write ``lines`` after the first ``whole_bytes``; a failure leaves just those."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.ftruncate(descriptor, whole_bytes)
            append_durably(descriptor, lines)
        except OSError:
            os.ftruncate(descriptor, whole_bytes)
            raise
        finally:
            os.close(descriptor)

    def _read(self) -> bytes:
        """Return the whole lines of the file; nothing where it does not exist."""
        return self.whole_lines(self.content() or b"")

    def _text_of(self, content: bytes) -> str:
        try:
            # Spreadsheets put a mark before what they save as UTF-8.
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self._foreign("it is no text in UTF-8") from error

    def _cells_of(self, number: int, line: str) -> list[str]:
        try:
            return next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            raise self._damaged(number, f"is cut off or no CSV ({error})") from error

    def _check_header(self, header: Sequence[str]) -> None:
        if header == self.columns or is_older(header, self.schema):
            return
        missing = [c.name for c in self.schema.columns if c.name not in header and not c.is_added]
        unknown = [column for column in header if column not in self.columns]
        reasons = [
            f"column {missing[0]} is missing" if missing else "",
            f"column {unknown[0]!r} is unknown" if unknown else "",
        ]
        raise self._foreign(", ".join(filter(None, reasons)) or "its columns are in another order")

    def _parse_line(self, number: int, line: list[str], header: Sequence[str]) -> Row:
        if len(line) < len(header):
            raise self._damaged(number, f"is cut off: it has {len(line)} of {len(header)} cells")
        if len(line) > len(header):
            raise self._damaged(number, f"has {len(line)} cells instead of {len(header)}")
        row: Row = {}
        for column, text in zip(header, line, strict=True):
            try:
                row[column] = self._by_name[column].read(text)
            except ValueError as error:
                raise self._damaged(number, f"is wrong: {text!r} is no {column}") from error
        return row

    def _foreign(self, reason: str) -> UnreadableTable:
        return UnreadableTable(
            f"{self.path} is not a table of this version: {reason}", "move it away"
        )

    def _damaged(self, number: int, reason: str) -> UnreadableTable:
        remedy = f"delete this line and measure again with --output {self.path.parent}"
        return UnreadableTable(f"{self.path}: line {number} {reason}", remedy)

    def _key(self, row: Mapping[str, Cell]) -> tuple[str, ...]:
        # As text: what was read and what is about to be written then compare alike.
        return tuple(column.write(row.get(column.name)) for column in self.schema.settings)

    def _has_our_header(self, content: bytes) -> bool:
        """Return whether rows may be appended: the file has none, or none of an earlier version."""
        return not content or content.removeprefix(codecs.BOM_UTF8).startswith(self._header())

    def _header(self) -> bytes:
        return _encode([self.columns])

    def _lines(self, rows: Iterable[Mapping[str, Cell]]) -> bytes:
        return _encode(
            [column.write(row.get(column.name)) for column in self.schema.columns] for row in rows
        )


def _encode(lines: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()
