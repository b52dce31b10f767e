"""One line for each configuration: medians over repeats and seeds, and ratios to exact."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from xconv_bench.knobs import KNOBS
from xconv_bench.naming import method_words
from xconv_bench.report.words import common, counts_words, differing, phrases, status_words
from xconv_bench.results.schema import TABLES, Cell, Column

Row = Mapping[str, Cell]
Grouped = TypeVar("Grouped")
GroupKey = TypeVar("GroupKey")

REFERENCE = "exact"
"""The method that all others are compared with."""

RATIO_MEANING = "relative to the method exact in the same setting"

_REPETITION = ("repeat", "seed")
_KNOBS = ("method", *KNOBS)
_CONFIGURATION = tuple(column for column in TABLES["memory"].key if column not in _REPETITION)
_SETTING = tuple(column for column in TABLES["memory"].key if column not in _KNOBS)
_FACTS = ("parameters", "convolutions")
_DISTURBANCES = ("cpu_wait_part",)
# The model decides its parameters and convolutions: they tell no two configurations apart.
_TITLE = ("model", *_FACTS, "batch_size", "image_size", "dtype", "device")


@dataclass(frozen=True)
class Summary:
    """The rows of one configuration together.

    ``figures`` holds, by column, the median of what was read, in the column's unit; ``ratios``
    the median of its ratio to the exact row with the same setting, repeat and seed, where there
    is one; the exact rows have none. ``settings`` are the key columns but repeat and seed, with
    parameters and convolutions. ``messages`` are pairs of a status and what it comes with.
    """

    settings: dict[str, Cell]
    statuses: Counter[str]
    messages: list[tuple[str, str]]
    figures: dict[str, float]
    ratios: dict[str, float]

    @property
    def method(self) -> str:
        """Name of the method."""
        return str(self.settings["method"])

    @property
    def is_ok(self) -> bool:
        """Return whether at least one of the rows was measured to its end."""
        return self.statuses["ok"] > 0


def grouped(
    items: Iterable[Grouped], key: Callable[[Grouped], GroupKey]
) -> dict[GroupKey, list[Grouped]]:
    """Return the items of each key; keys and items stay in the order in which they first occur."""
    groups: dict[GroupKey, list[Grouped]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def compared_columns() -> list[Column]:
    """Return the columns of ``memory.csv`` that people compare."""
    left_out = (*_FACTS, *_DISTURBANCES)
    figures = TABLES["memory"].figures
    return [column for column in figures if column.is_number and column.name not in left_out]


def summarize(rows: Sequence[Row]) -> list[Summary]:
    """Return one summary for each configuration, in the order in which they first occur."""
    groups = grouped(rows, lambda row: _values(row, _CONFIGURATION))
    references = {_values(row, _SETTING): row for row in rows if row["method"] == REFERENCE}
    return [_summarize(group, references) for group in groups.values()]


def varying(summaries: Sequence[Summary]) -> list[str]:
    """Return the columns that describe a setting in which the summaries differ."""
    return differing([summary.settings for summary in summaries])


def title(summaries: Sequence[Summary]) -> str:
    """Return what is the same for all: ``resnet50, batch 64, 224 px, float32, cpu``."""
    return phrases(common([summary.settings for summary in summaries], _TITLE))


def label(summary: Summary, setting: Sequence[str] = ()) -> str:
    """Return ``xconv multi r=8 relu``, after the columns of ``setting`` where there are any."""
    where = phrases({column: summary.settings[column] for column in setting})
    return f"{where}: {method_words(summary.settings)}" if where else method_words(summary.settings)


def outcome(summary: Summary) -> str:
    """Return ``ok``, ``out of memory``, or how many rows ended how."""
    counts = summary.statuses
    return counts_words(counts) if len(counts) > 1 else status_words(next(iter(counts)))


def _summarize(group: list[Row], references: Mapping[tuple[Cell, ...], Row]) -> Summary:
    settings = {column: group[0][column] for column in _CONFIGURATION}
    facts = {column: _first(row[column] for row in group) for column in _FACTS}
    messages = [(str(row["status"]), str(row["message"])) for row in group if row["message"]]
    figures: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    for row in group:
        reference = references.get(_values(row, _SETTING), {})
        for figure in compared_columns():
            value, exact = row[figure.name], reference.get(figure.name)
            if not isinstance(value, int | float):
                continue
            figures.setdefault(figure.name, []).append(value)
            if figure.is_compared and isinstance(exact, int | float) and exact and reference != row:
                ratios.setdefault(figure.name, []).append(value / exact)
    return Summary(
        settings={**settings, **facts},
        statuses=Counter(str(row["status"]) for row in group),
        messages=list(dict.fromkeys(messages)),
        figures={column: median(values) for column, values in figures.items()},
        ratios={column: median(values) for column, values in ratios.items()},
    )


def _values(row: Row, columns: Iterable[str]) -> tuple[Cell, ...]:
    return tuple(row[column] for column in columns)


def _first(values: Iterable[Cell]) -> Cell:
    return next((value for value in values if value is not None), None)
