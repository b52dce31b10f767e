"""A watcher of experiments that passes rows on to a tracker, once they are on the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite
from threading import Lock
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.models.messages import reason
from xconv_bench.naming import cell_name
from xconv_bench.tracking.destination import Destination

_TEXTS = ("status", "message")
_STEP = "epoch"


class Logger:
    """Logs the cells of an experiment: settings as parameters, figures as metrics.

    Several threads may call it. A tracker that fails is told to the user and left alone: rows are
    on the disk whatever becomes of it.
    """

    def __init__(self, place: str, destination: Destination, says: Callable[[str], None]) -> None:
        self._place = place
        self._destination = destination
        self._says = says
        self._begun: set[str] = set()
        self._has_failed = False
        self._lock = Lock()

    def wrote(self, configuration: Configuration, rows: Sequence[Mapping[str, Any]]) -> None:
        """Pass on rows that came before the end of a measurement, such as one an epoch."""
        for row in rows:
            self._try(configuration, partial(self._log, _figures(configuration, row), _step(row)))

    def finished(self, configuration: Configuration, row: Mapping[str, Any], known: bool) -> None:
        """Pass on the row that a cell is known by, unless an earlier run has done so."""
        if known:
            return
        figures, step = _figures(configuration, row), _step(row)
        status, message = (str(row.get(name) or "") for name in _TEXTS)
        self._try(
            configuration, lambda run: self._destination.end(run, figures, step, status, message)
        )

    def close(self) -> None:
        """Close the tracker."""
        try:
            self._destination.close()
        except Exception as error:
            self._fail(error)

    def _log(self, figures: Mapping[str, float], step: int, run: str) -> None:
        self._destination.log(run, figures, step)

    def _try(self, configuration: Configuration, log: Callable[[str], None]) -> None:
        run = cell_name(configuration.key)
        with self._lock:
            if self._has_failed:
                return
            try:
                if run not in self._begun:
                    self._begun.add(run)
                    self._destination.begin(run, _parameters(configuration))
                log(run)
            except Exception as error:  # a server that is gone, a full disk: anything
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._says(
                f"--log {self._place} stopped: {reason(error)}; rows are in the run directory"
            )


def _parameters(configuration: Configuration) -> dict[str, Any]:
    return {name: value for name, value in configuration.key.items() if value is not None}


def _step(row: Mapping[str, Any]) -> int:
    return int(row.get(_STEP) or 0)


def _figures(configuration: Configuration, row: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite figures of a row that are no settings."""
    others = {*configuration.key, *_TEXTS, _STEP}
    figures = {
        name: float(value)
        for name, value in row.items()
        if name not in others and isinstance(value, int | float)
    }
    return {name: value for name, value in figures.items() if isfinite(value)}
