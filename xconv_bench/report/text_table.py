"""Columns of text as a table that a terminal can hold, and that nothing is cut from in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal

from xconv_bench.plain_text import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_GAP = 2
_UNLIMITED = 100_000
"""Characters of a line where no terminal limits it: nothing is wrapped or cut in a pipe."""


@dataclass(frozen=True)
class Column:
    """A heading, and a cell for each line."""

    heading: str
    cells: list[str]
    justify: Literal["left", "right"] = "right"

    @property
    def width(self) -> int:
        """Characters that it takes."""
        return max(len(text) for text in (self.heading, *self.cells))


def aligned(cells: Sequence[str], mark: str) -> list[str]:
    """The cells so that ``mark``, and what follows it, stands below each other on the right.

    >>> aligned(["0.41 ± 0.01", "12 ± 1", "exact"], " ± ")
    ['0.41 ± 0.01', '12 ± 1   ', 'exact       ']
    """
    heads = [cell.partition(mark)[0] for cell in cells]
    rests = [cell.removeprefix(head) for cell, head in zip(cells, heads, strict=True)]
    room = max(len(rest) for rest in rests)
    return [head + rest.ljust(room) for head, rest in zip(heads, rests, strict=True)]


def open_console(file: IO[str] | None) -> Console:
    """Where tables are printed: ``file``, or standard output where None is given."""
    from rich.console import Console

    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    return console


def print_heading(console: Console, text: str, is_first: bool = False) -> None:
    """Print a heading, after an empty line where it is not the ``is_first``."""
    from rich.text import Text

    if not is_first:
        console.print()
    console.print(Text(visible(text), style="bold"))


def print_columns(console: Console, identity: Sequence[Column], figures: Sequence[Column]) -> None:
    """Print a table, after an empty line; all columns have the same number of cells.

    ``identity`` tells one line from another. In a terminal, ``figures`` that do not fit beside
    each other come below each other, each time with the identity.
    """
    for part in _fitting(identity, figures, console.width):
        console.print()
        console.print(_table(part))


def print_notes(console: Console, notes: Sequence[str]) -> None:
    """Print each note on lines of its own, after an empty line; nothing where there are none."""
    from rich.text import Text

    if notes:
        console.print()
    for note in notes:
        console.print(Text(visible(note)))


def print_legend(console: Console, meanings: Iterable[tuple[str, str]]) -> None:
    """Print what each heading means, after an empty line; nothing where there are none."""
    from rich.table import Table

    legend = Table.grid(padding=(0, _GAP))
    for heading, meaning in meanings:
        legend.add_row(heading, meaning)
    if legend.row_count:
        console.print()
        console.print(legend)


def _fitting(
    identity: Sequence[Column], figures: Sequence[Column], width: int
) -> Iterator[list[Column]]:
    """The columns in tables no wider than ``width`` characters, each with the identity."""
    part = list(identity)
    for column in figures:
        needed = sum(known.width + _GAP for known in part) + column.width
        if needed > width and len(part) > len(identity):
            yield part
            part = list(identity)
        part.append(column)
    yield part


def _table(columns: Sequence[Column]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column.heading, justify=column.justify, overflow="fold")
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*(Text(visible(cell)) for cell in cells))
    return table
