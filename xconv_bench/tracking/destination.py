"""Destinations: what a tracker of experiments has to do for us."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar


class Destination(ABC):
    """A tracker of experiments; its runs are measurements, known by their names.

    ``form`` is how a place is written, for messages.
    """

    form: ClassVar[str]

    @classmethod
    @abstractmethod
    def check(cls) -> None:
        """Import the library of the tracker. Raises UsageError where it is not installed."""

    @abstractmethod
    def __init__(self, where: str, experiment: str) -> None:
        """Open the tracker at ``where``. Raises BenchError where that cannot be done."""

    @abstractmethod
    def begin(self, run: str, parameters: Mapping[str, Any]) -> None:
        """Begin a run with its parameters."""

    @abstractmethod
    def log(self, run: str, metrics: Mapping[str, float], step: int) -> None:
        """Add metrics to a run that has begun."""

    @abstractmethod
    def end(
        self, run: str, metrics: Mapping[str, float], step: int, status: str, note: str
    ) -> None:
        """Add the last metrics of a run, how it ended and a remark; the run is over."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; runs that are not over were interrupted."""
