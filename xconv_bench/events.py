"""Events: everything that a measurement tells while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Readings = dict[str, Any]
"""Columns of the configuration's row by name, or facts that a plan needs, as soon as known."""


@dataclass(frozen=True)
class Progress:
    """The part of a measurement that is done, from 0 to 1, and what is being done in words."""

    fraction: float
    said: str = ""


@dataclass(frozen=True)
class Message:
    """Words for the reader of the row; an empty text says nothing."""

    text: str


@dataclass(frozen=True)
class Rows:
    """Rows of a table by its name, complete but for the key of their configuration."""

    table: str
    rows: Sequence[dict[str, Any]]


Event = Progress | Message | Rows | Readings

Work = Callable[[], Iterable[Event]]
"""A piece of work for one process: picklable, called without arguments."""


def told(readings: Readings) -> Iterator[Event]:
    """Yield readings, with the ``message`` among them as an event of its own."""
    columns = dict(readings)
    message = columns.pop("message", "")
    yield columns
    yield Message(message)


def joined(*messages: str) -> str:
    """Return the messages that say something as one."""
    return "; ".join(filter(None, messages))
