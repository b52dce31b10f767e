"""Simulated figures held against a real step: once for each network and method of a sweep."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.events import Progress, Rows
from xconv_bench.launch import Job, Launcher, Listener, Outcome, Runner
from xconv_bench.measurement.cross_check import CrossCheck
from xconv_bench.methods import find_method
from xconv_bench.results.statuses import DOUBTFUL

_MOST_SECONDS = 60.0
"""A step that takes longer is not cheap: a network may be waiting for something."""

_known: dict[Configuration, Outcome] = {}
"""Cross-checks made in this process: the experiments of a profile share networks and methods."""

_PLAIN = {field: getattr(Configuration(""), field) for field in ("batch_size", "image_size")}


def forget_checks() -> None:
    """Forget the cross-checks made in this process: networks may be others under the same names."""
    _known.clear()


class CrossChecks:
    """Holds the simulations of ``cells`` against real steps, each network and method once.

    Cells that differ in sizes, seed and device are alike: the smallest of them is tried.
    """

    def __init__(self, cells: Iterable[Configuration], launcher: Launcher) -> None:
        smallest: dict[Configuration, Configuration] = {}
        for cell in cells:
            if find_method(cell.method).is_simulated:
                kind = _kind(cell)
                smallest[kind] = min(smallest.get(kind, cell), cell, key=_size)
        jobs = [
            Job((kind,), partial(_check, cell))
            for kind, cell in smallest.items()
            if kind not in _known
        ]
        self._found = {kind: _known[kind] for kind in smallest if kind in _known}
        with closing(launcher.each(jobs, Silent())) as results:
            for job, outcome in results:
                self._found[job.cells[0]] = outcome
                if outcome.status == "ok":
                    _known[job.cells[0]] = outcome

    def apply(self, cell: Configuration, outcome: Outcome) -> None:
        """Let the row of a cell say what its cross-check found, unless it failed anyway."""
        check = self._found.get(_kind(cell))
        if check is not None and outcome.status == "ok":
            judge(outcome, check, "not cross-checked")


def judge(outcome: Outcome, check: Outcome, otherwise: str = "simulated") -> None:
    """Let an outcome say what a simulation or its check found; ``otherwise`` heads its failure."""
    if doubt := check.readings.get("doubt"):
        outcome.end(DOUBTFUL, doubt)
    elif check.status == "ok" or check.status == "unsupported":
        outcome.note(check.message)
    else:
        outcome.note(f"{otherwise}: {check.message}")


def _check(cell: Configuration, runner: Runner, listener: Listener) -> Outcome:
    return runner.run(CrossCheck(_simulated(cell)), listener, timeout_seconds=_MOST_SECONDS)


class Silent:
    """Watches and says nothing: cross-checks are no cells."""

    def started(self, configuration: Configuration) -> None:
        pass

    def heard(self, configuration: Configuration, event: Progress | Rows) -> None:
        pass


def _simulated(cell: Configuration) -> Configuration:
    names = Configuration("").key
    return Configuration(**{**{name: getattr(cell, name) for name in names}, "device": SIMULATED})


def _kind(cell: Configuration) -> Configuration:
    """Return the network, the method and its settings: what an operator's memory depends on."""
    return replace(_simulated(cell), seed=0, **_PLAIN)


def _size(cell: Configuration) -> tuple[int, int]:
    return cell.image_size, cell.batch_size
