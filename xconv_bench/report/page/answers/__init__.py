"""Answers to which method to take, one file a kind, and the phrases that they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xconv_bench.report.page.figures import column_of, is_rounding, name_of, writer
from xconv_bench.report.rows import Row, is_reference, number
from xconv_bench.report.words import format_ratio
from xconv_bench.results.schema import Column, Schema

MOST_LISTED = 3
"""Methods that a sentence names; it counts the others."""


@dataclass(frozen=True)
class Answer:
    """The method to take in a setting; empty where there is none.

    ``words`` say what it costs and what it is worth, without a full stop. ``remarks`` are whole
    sentences on the others, and on what is not known.
    """

    method: str
    words: str
    remarks: list[str] = field(default_factory=list)


def exact_of(rows: Sequence[Row]) -> Row | None:
    """Return the row of exact, where it was measured and is not in doubt."""
    return next((row for row in rows if is_reference(row) and row["status"] == "ok"), None)


def figure(schema: Schema, column: str, row: Row) -> str:
    """Return a figure of a row with its unit."""
    return writer(column_of(schema, column), [row])(row)


def ratio_of(column: Column, row: Row, exact: Row | None) -> float | None:
    """Return the ratio of a figure to that of exact: the table's own where it has one."""
    if column.ratio is not None and (known := row.get(column.ratio)) is not None:
        return float(known)
    value = number(row, column.name)
    whole = None if exact is None else number(exact, column.name)
    return value / whole if value is not None and whole else None


def percent(part: float) -> str:
    """Write a part of a whole.

    >>> percent(0.0151), percent(0.246), percent(0.996), percent(0.00002)
    ('1.5 %', '25 %', '100 %', '<0.01 %')
    """
    hundredfold = 100 * part
    if hundredfold < 0.01:
        return "<0.01 %"
    if hundredfold < 1:
        return f"{hundredfold:.2g} %"
    return f"{hundredfold:.0f} %" if hundredfold >= 9.95 else f"{hundredfold:.1f} %"


def error_words(column: Column, error: float, floor: float | None = None) -> str:
    """Return how far a gradient is from the exact one: ``gradient error 1.5 %``."""
    if error == 0 or is_rounding(column, error) or (floor is not None and error <= floor):
        return "the exact gradient"
    return f"gradient error {percent(error) if error < 1 else format_ratio(error)}"


def named(rows: Sequence[Row]) -> str:
    """Return the names of methods, of many only some."""
    names = [name_of(row) for row in rows]
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"{', '.join(names[:MOST_LISTED])}{more}"


def plural(count: int, noun: str) -> str:
    """Write a number of things.

    >>> plural(1, "method"), plural(3, "method")
    ('1 method', '3 methods')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(texts: Iterable[str]) -> str:
    """Return texts, of many only some, and how many more there are."""
    every = list(texts)
    more = len(every) - MOST_LISTED
    rest = f", and {plural(more, 'other')}" if more > 0 else ""
    return f"{'; '.join(every[:MOST_LISTED])}{rest}"
