"""Outcomes: what became of a measurement."""

from dataclasses import dataclass, field
from typing import Any

from xconv_bench.events import Event, Message, Readings, Rows, joined


@dataclass
class Outcome:
    """``status`` and ``message`` of a row, the columns and the rows that were known by then.

    ``rows`` are by the name of their table, without the key of their configuration.
    """

    status: str = "ok"
    message: str = ""
    readings: Readings = field(default_factory=dict)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Take what a measurement tells; messages and rows add up, progress passes."""
        if isinstance(event, Message):
            self.note(event.text)
        elif isinstance(event, Rows):
            self.rows.setdefault(event.table, []).extend(event.rows)
        elif isinstance(event, dict):
            self.readings |= event

    def end(self, status: str, message: str) -> "Outcome":
        """Return this outcome, with how it ended."""
        self.status = status
        self.note(message)
        return self

    def note(self, *messages: str) -> None:
        """Append to the message."""
        self.message = joined(self.message, *messages)

    @property
    def ending(self) -> dict[str, Any]:
        """Return the columns that say how it ended."""
        return {"status": self.status, "message": self.message}
