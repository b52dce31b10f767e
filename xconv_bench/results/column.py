"""A column of a table: what its cells hold, which way is better, how far a figure holds."""

from dataclasses import dataclass
from enum import Enum

from xconv_bench.plain_text import visible

Cell = str | int | float | None

LONGEST_TEXT = 2000
"""Characters of a text cell; a message that says more is cut. Readers of CSV have limits too."""

_LARGEST_INTEGER = 10**300
"""Of a cell: what is larger cannot be divided by anything, nor written with a unit."""


class Better(Enum):
    """Which way a figure is better."""

    LESS = "less"
    MORE = "more"


class Holds(Enum):
    """Where else a figure would be the same, so that a difference says something about a change."""

    EVERYWHERE = "counted from shapes, or chosen"
    OFF_GPUS = "counted or seeded: the same to rounding, but on a GPU that GPU's own"
    ON_ITS_MACHINE = "what a clock, a driver, an allocator or the system says"


@dataclass(frozen=True)
class Column:
    """A column by its name, which ends in its unit.

    ``better`` is None for what has no direction: settings, texts, sizes of the network, intervals
    and standard errors, and properties of the data. Only other columns have regressions.
    """

    name: str
    kind: type[str] | type[int] | type[float]
    better: Better | None
    holds: Holds

    @property
    def is_number(self) -> bool:
        """Whether its cells are numbers."""
        return self.kind is not str

    def write(self, value: Cell) -> str:
        """Return the text of ``value``: always one line, and read back as the same value."""
        if value is None:
            return ""
        if self.kind is str:
            return _one_line(str(value))
        text = repr(self.kind(value))
        # What was chosen is written as one says it: 2 bits, not 2.0.
        return text.removesuffix(".0") if self.holds is Holds.EVERYWHERE else text

    def read(self, text: str) -> Cell:
        """Return the value of a cell; ValueError where it is not what the column holds."""
        if not text:
            return None
        if self.kind is str:
            return visible(text)  # the file may be anybody's
        value = self.kind(text)
        if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
            raise ValueError(text)
        return value

    def is_of_its_machine(self, device: Cell) -> bool:
        """Whether its figure in a row of ``device`` says nothing about another machine."""
        if self.holds is Holds.OFF_GPUS:
            return str(device).startswith("cuda")
        return self.holds is Holds.ON_ITS_MACHINE


def _one_line(text: str) -> str:
    line = " ".join(part.strip() for part in text.replace("\0", "").splitlines() if part.strip())
    line = visible(line)
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 3]}..."
