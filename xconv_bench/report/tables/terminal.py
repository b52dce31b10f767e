"""Tables of text that a terminal can hold, and that nothing is cut from in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal

from xconv_bench.plain_text import visible
from xconv_bench.report.rows import RATIO_MEANING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_GAP = 2
_NOTHING = "Nothing was measured."
_UNLIMITED = 100_000
"""Characters of a line where no terminal limits it: nothing is wrapped or cut in a pipe."""


@dataclass(frozen=True)
class TextColumn:
    """A heading, and a cell for each line; ``legend`` is what is explained, and its meaning."""

    heading: str
    cells: list[str]
    justify: Literal["left", "right"] = "right"
    legend: tuple[str, str] = ("", "")

    @property
    def width(self) -> int:
        """Return the number of characters that it takes."""
        return max(len(text) for text in (self.heading, *self.cells))


@dataclass(frozen=True)
class Block:
    """A table: its ``identity`` tells one line from another; all columns have as many cells.

    The ``heading`` stands above it, ``notes`` stand right below it.
    """

    heading: str
    identity: Sequence[TextColumn]
    figures: Sequence[TextColumn]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Printed:
    """Parts, then notes, what the headings mean, and conclusions.

    ``legend`` has meanings beside those of the columns.
    """

    parts: Sequence[Block]
    notes: Sequence[str] = ()
    legend: Iterable[tuple[str, str]] = ()
    conclusions: Sequence[str] = ()

    @property
    def meanings(self) -> dict[str, str]:
        """Return the meaning of everything that is shown and explained."""
        columns = [column for part in self.parts for column in part.figures]
        found = dict(column.legend for column in columns if column.legend[1])
        if any("×)" in cell for column in columns for cell in column.cells):
            found["(×)"] = RATIO_MEANING
        return found | dict(self.legend)


def print_tables(printed: Printed, file: IO[str] | None = None) -> None:
    """Print to ``file``, or to standard output where it is None.

    In a terminal, figures that do not fit beside each other come below each other, each time with
    the identity.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    legend = Table.grid(padding=(0, _GAP))
    for name, meaning in printed.meanings.items():
        legend.add_row(name, meaning)
    blocks: list[Sequence[RenderableType]] = []
    for part in printed.parts:
        blocks.append([Text(visible(part.heading), style="bold")] if part.heading else [])
        blocks += [[_table(columns)] for columns in _fitting(part, console.width)]
        blocks.append([Text(visible(note)) for note in part.notes])
    blocks.append([Text(visible(note)) for note in printed.notes])
    blocks.append([legend] if legend.row_count else [])
    blocks.append([Text(visible(conclusion)) for conclusion in printed.conclusions])
    for place, block in enumerate(filter(None, blocks if printed.parts else [[_NOTHING]])):
        if place:
            console.print()
        for line in block:
            console.print(line)


def aligned(cells: Sequence[str], mark: str) -> list[str]:
    """Return the cells so that ``mark``, and what follows it, stands below each other.

    >>> aligned(["0.41 ± 0.01", "12 ± 1", "exact"], " ± ")
    ['0.41 ± 0.01', '12 ± 1   ', 'exact       ']
    """
    heads = [cell.partition(mark)[0] for cell in cells]
    rests = [cell.removeprefix(head) for cell, head in zip(cells, heads, strict=True)]
    room = max(len(rest) for rest in rests)
    return [head + rest.ljust(room) for head, rest in zip(heads, rests, strict=True)]


def _fitting(part: Block, width: int) -> Iterator[list[TextColumn]]:
    """Yield the columns in tables no wider than ``width`` characters, each with the identity."""
    columns = list(part.identity)
    for column in part.figures:
        needed = sum(known.width + _GAP for known in columns) + column.width
        if needed > width and len(columns) > len(part.identity):
            yield columns
            columns = list(part.identity)
        columns.append(column)
    if columns:
        yield columns


def _table(columns: Sequence[TextColumn]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column.heading, justify=column.justify, overflow="fold")
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*(Text(visible(cell)) for cell in cells))
    return table
