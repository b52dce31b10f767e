"""Estimates of memory and time, before anything is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from xconv_bench.configuration import SIMULATED, Configuration, MaxBatchConfiguration, columns_of
from xconv_bench.events import Work
from xconv_bench.launch import Launcher
from xconv_bench.measurement.estimate import Estimate, Speed
from xconv_bench.naming import model_words

_START_SECONDS = {SIMULATED: 0.3, "cpu": 1.5, "cuda": 5.0}
"""Seconds that a process takes to begin and to place its network, by the kind of device."""


@dataclass(frozen=True)
class Cost:
    """The peak memory of a step of a cell, and the time it takes; None where it is unknown."""

    cell: Configuration
    peak_bytes: int | None
    seconds: float | None
    message: str


class Estimator:
    """Simulates each network once, whatever is to be measured of it.

    ``estimate`` makes the work that simulates a cell; without it a cell is a step of its model.
    """

    def __init__(
        self,
        launcher: Launcher,
        says: Callable[[str], None],
        estimate: Callable[[Any], Work] | None = None,
    ) -> None:
        self._launcher = launcher
        self._says = says
        self._estimate = estimate or (lambda cell: Estimate(_plain(cell)))
        self._known: dict[Work, tuple[dict[str, float], str]] = {}
        self._speeds: dict[str, float | None] = {}

    def costs(self, cells: Iterable[Configuration], steps: int, simulations: int) -> list[Cost]:
        """Return the costs of cells that take ``steps`` steps each, or so many ``simulations``."""
        return [self._cost(cell, steps, simulations) for cell in cells]

    def _cost(self, cell: Configuration, steps: int, simulations: int) -> Cost:
        known, message = self._simulate(cell)
        peak = int(known["peak_bytes"]) if known else None
        if isinstance(cell, MaxBatchConfiguration):
            # The largest batch is not known yet; with it a step takes nearly all that it may.
            peak = int(cell.memory_budget_bytes * cell.headroom)
        return Cost(cell, peak, self._seconds(cell, known, steps, simulations), message)

    def _seconds(
        self, cell: Configuration, known: dict[str, float], steps: int, simulations: int
    ) -> float | None:
        if not known:
            return None
        start = _START_SECONDS[cell.device.partition(":")[0]]
        if cell.device == SIMULATED:
            return start + simulations * known["seconds"]
        speed = self._speed(cell.device)
        if speed is None:
            return None
        return start + known["seconds"] + steps * known["step_operations"] / speed

    def _simulate(self, cell: Configuration) -> tuple[dict[str, float], str]:
        work = self._estimate(cell)
        if work not in self._known:
            self._says(f"simulating {model_words(cell.model)} {cell.method}")
            outcome = self._launcher.run(work)
            self._known[work] = (outcome.readings, outcome.message)
        return self._known[work]

    def _speed(self, device: str) -> float | None:
        if device not in self._speeds:
            outcome = self._launcher.run(Speed(device), device=device)
            self._speeds[device] = outcome.readings.get("operations_per_second")
        return self._speeds[device]


def _plain(cell: Configuration) -> Configuration:
    """Return the settings that decide the step, and no others."""
    values = {name: getattr(cell, name) for name in columns_of(Configuration)}
    return Configuration(**{**values, "seed": 0, "device": SIMULATED})
