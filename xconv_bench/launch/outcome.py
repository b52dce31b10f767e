"""What became of a measurement."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Outcome:
    """``status`` and ``message`` of a row, and the columns that were known by then."""

    status: str = "ok"
    message: str = ""
    readings: dict[str, Any] = field(default_factory=dict)

    def add(self, readings: dict[str, Any]) -> None:
        """Take some more columns; messages add up."""
        self.note(readings.pop("message", ""))
        self.readings |= readings

    def end(self, status: str, message: str) -> "Outcome":
        """This outcome, with how it ended."""
        self.status = status
        self.note(message)
        return self

    def note(self, message: str) -> None:
        """Append to the message."""
        self.message = "; ".join(part for part in (self.message, message) if part)

    @property
    def row(self) -> dict[str, Any]:
        """The columns of a row behind its configuration."""
        return {"status": self.status, "message": self.message, **self.readings}
