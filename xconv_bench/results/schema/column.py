"""A column of a table: its cells, its name for people, its direction, and how far it holds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from xconv_bench.plain_text import visible

Cell = str | int | float | None

LONGEST_TEXT = 2000
"""Characters of a text cell; a message that says more is cut. Readers of CSV have limits too."""

_LARGEST_INTEGER = 10**300
"""A larger integer cannot be divided by anything, nor written with a unit: no cell holds one."""


class Better(Enum):
    """The direction in which a figure is better."""

    LESS = "less"
    MORE = "more"


class Holds(Enum):
    """The places where a figure is the same, so that a difference says something about a change."""

    EVERYWHERE = "everywhere"
    """Counted from shapes, or chosen."""
    OFF_GPUS = "everywhere but on GPUs"
    """Counted or seeded: the same to rounding, but on a GPU that GPU's own."""
    ON_ITS_MACHINE = "on its machine"
    """Read from a clock, a driver, an allocator or the system."""


class Unit(Enum):
    """The unit of a figure; the value is its name for people."""

    BYTES = "bytes"
    SECONDS = "seconds"
    SAMPLES = "samples"
    TIMES_EXACT = "× exact"
    RELATIVE = "× the exact gradient"
    PROBABILITY = "probability"
    PIXELS = "pixels"
    BITS = "bits"
    DECIBELS = "dB"


_COMPARED = frozenset({Unit.BYTES, Unit.SECONDS, Unit.SAMPLES})


@dataclass(frozen=True)
class Column:
    """A column, with all that is to be known about it.

    ``heading`` and ``meaning`` are what tables and pages say, ``is_not`` what docs/columns.md warns
    of taking it for. ``better`` is None for what has no
    direction: settings, texts, sizes of the network, intervals and standard errors, and properties
    of the data. Only other columns have regressions. ``spread`` names the columns that say how far
    chance may have moved the figure: its standard error, or the lower and the upper bound of its
    95 % interval. ``ratio`` names the column that holds its ratio to exact, where a table has one.
    A figure ``is_simulated`` where it is never that of a real step. A value that ``is_chosen`` is
    written as somebody gave it, not rounded. Tables of earlier versions may lack a column that
    ``is_added``.
    """

    name: str
    kind: type[str] | type[int] | type[float]
    heading: str
    meaning: str
    unit: Unit | None = None
    better: Better | None = None
    holds: Holds = Holds.EVERYWHERE
    spread: tuple[str, ...] = ()
    ratio: str | None = None
    is_not: str = ""
    is_simulated: bool = False
    is_chosen: bool = False
    is_added: bool = False

    @property
    def is_number(self) -> bool:
        """Return whether its cells are numbers."""
        return self.kind is not str

    @property
    def is_compared(self) -> bool:
        """Return whether its ratio to exact says something; an error already is such a ratio."""
        return self.unit in _COMPARED

    def told(self, meaning: str, heading: str | None = None) -> "Column":
        """Return the column with what it means in one table."""
        return replace(self, meaning=meaning, heading=heading or self.heading)

    def with_error(self) -> "Iterator[Column]":
        """Yield the column, then the one of its standard error."""
        error = f"{self.name}_se"
        yield replace(self, spread=(error,))
        yield self._doubt(error, "se", f"standard error of `{self.name}`")

    def with_interval(self) -> "Iterator[Column]":
        """Yield the column, then those of the lower and the upper bound of its 95 % interval."""
        low, high = f"{self.name}_low", f"{self.name}_high"
        yield replace(self, spread=(low, high))
        yield self._doubt(low, "low", f"lower bound of the 95 % interval of `{self.name}`")
        yield self._doubt(high, "high", f"upper bound of the 95 % interval of `{self.name}`")

    def _doubt(self, name: str, word: str, meaning: str) -> "Column":
        heading = f"{self.heading} {word}"
        return Column(name, float, heading, meaning, self.unit, holds=self.holds)

    def write(self, value: Cell) -> str:
        """Return the text of ``value``: always one line, and read back as the same value."""
        if value is None:
            return ""
        if self.kind is str:
            return _one_line(str(value))
        text = repr(self.kind(value))
        # As one says it: 2 bits, not 2.0.
        return text.removesuffix(".0") if self.is_chosen else text

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
        """Return whether its figure in a row of ``device`` says nothing about another machine."""
        if self.holds is Holds.OFF_GPUS:
            return str(device).startswith("cuda")
        return self.holds is Holds.ON_ITS_MACHINE


@dataclass(frozen=True)
class Schema:
    """A table by its ``name``: a title, a sentence on what it shows, and its columns in order.

    ``settings`` are the columns by which a row is known, ``figures`` the others. ``main`` names the
    figures that matter most; the first that has values is the outcome in one number, and without
    any no row says how good a method is. ``inner`` names the settings that tell rows of one
    configuration apart.
    """

    name: str
    title: str
    sentence: str
    settings: tuple[Column, ...]
    figures: tuple[Column, ...]
    main: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return all columns."""
        return (*self.settings, *self.figures)

    @property
    def key(self) -> tuple[str, ...]:
        """Return the names of the columns by which a row is known."""
        return tuple(column.name for column in self.settings)

    @property
    def setting_key(self) -> tuple[str, ...]:
        """Return the names of the columns by which a configuration is known."""
        return tuple(name for name in self.key if name not in self.inner)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all columns: the header of the CSV."""
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        """Return a column by its name; raises KeyError where there is none."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


def _one_line(text: str) -> str:
    line = " ".join(part.strip() for part in text.replace("\0", "").splitlines() if part.strip())
    line = visible(line)
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 3]}..."
