"""Measurements of networks that this process has as objects: given to others, or made here."""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import UsageError
from xconv_bench.events import Event, Progress, Rows, Work
from xconv_bench.launch.job import Job, JobWatcher, Listener, Runner, unheard
from xconv_bench.launch.outcome import Outcome
from xconv_bench.launch.process import Launcher, Results
from xconv_bench.launch.worker import explain
from xconv_bench.models.handed import Network, at_hand
from xconv_bench.models.reached import GENERATORS, reached
from xconv_bench.randomness import python_and_numpy_put_back

_CHECK_SECONDS = 300.0
_CHANGES_ITS_PROCESS = "compile-budget"
_HERE = "measured in the calling process"


def handing(
    launcher: Launcher, things: Mapping[str, Any], functions: Sequence[str] = ()
) -> Launcher:
    """Return a launcher that measures what ``launcher`` does, and these networks by their names.

    Each measurement has a process of its own where another process can rebuild the networks, else
    all are made in this process; so they are with ``functions``, names of what no other process
    has. Raises UsageError for what is no network.
    """
    networks = tuple(Network.of(name, thing) for name, thing in things.items())
    if not functions and all(map(_can_be_rebuilt, networks)):
        return Handing(launcher, networks)
    here = tuple(Network(name, thing) for name, thing in things.items())
    return Here(here, functions)


@dataclass(frozen=True)
class Known:
    """Work with networks at hand."""

    work: Work
    networks: tuple[Network, ...]

    def __call__(self) -> Iterator[Event]:
        """Do the work."""
        with at_hand(self.networks):
            yield from self.work()


@dataclass(frozen=True)
class Rebuilding:
    """Rebuilds a network, as another process has to: fails where it cannot."""

    network: Network

    def __call__(self) -> Iterator[Event]:
        """Rebuild it and tell nothing."""
        self.network.fresh()
        yield {}


def _can_be_rebuilt(network: Network) -> bool:
    if network.pickled is None:
        return False
    return Launcher(_CHECK_SECONDS).run(Rebuilding(network)).status == "ok"


@dataclass(frozen=True)
class Giving:
    """Gives networks to the processes of another runner."""

    runner: Runner
    networks: tuple[Network, ...]

    def run(
        self,
        work: Work,
        listener: Listener = unheard,
        device: str = SIMULATED,
        timeout_seconds: float | None = None,
    ) -> Outcome:
        """Run the work with the networks at hand."""
        return self.runner.run(Known(work, self.networks), listener, device, timeout_seconds)


class Handing(Launcher):
    """Runs what another launcher runs, with networks at hand in each of its processes."""

    def __init__(self, launcher: Launcher, networks: tuple[Network, ...]) -> None:
        self._launcher = launcher
        self._networks = networks

    def run(
        self,
        work: Work,
        listener: Listener = unheard,
        device: str = SIMULATED,
        timeout_seconds: float | None = None,
    ) -> Outcome:
        """Run the work with the networks at hand, as the other launcher does."""
        giving = Giving(self._launcher, self._networks)
        return giving.run(work, listener, device, timeout_seconds)

    def each(self, jobs: Iterable[Job], watcher: JobWatcher) -> Results:
        """Yield the jobs with their outcomes, as the other launcher does."""
        giving = [replace(job, measure=partial(_give, job.measure, self._networks)) for job in jobs]
        with closing(self._launcher.each(giving, watcher)) as results:
            yield from results

    def machines(self) -> list[dict[str, Any]]:
        """Return the other launcher's machines."""
        return self._launcher.machines()


def _give(
    measure: Callable[[Runner, Listener], Outcome],
    networks: tuple[Network, ...],
    runner: Runner,
    listener: Listener,
) -> Outcome:
    return measure(Giving(runner, networks), listener)


class Here(Launcher):
    """Runs work in this process, for networks and functions that no other process can rebuild.

    Nothing ends what hangs, and what runs out of memory takes this process with it. A GPU is
    refused: what this process holds there would be counted as the network's. Generators of random
    numbers are put back afterwards.
    """

    def __init__(self, networks: tuple[Network, ...], functions: Sequence[str] = ()) -> None:
        self._networks = networks
        self._functions = [name.rpartition(":")[2] for name in functions]

    def run(
        self,
        work: Work,
        listener: Listener = unheard,
        device: str = SIMULATED,
        timeout_seconds: float | None = None,
    ) -> Outcome:
        """Return what the work yielded and how it ended. Raises UsageError where the work did."""
        self._refuse_gpu(device)
        outcome = Outcome()
        try:
            with at_hand(self._networks), _generators_put_back(self._networks):
                for event in work():
                    if isinstance(event, Progress | Rows):
                        listener(event)
                    outcome.add(event)
        except UsageError:
            raise
        except Exception as error:
            end = explain(error)
            outcome.end(end.status, end.message)
        gc.collect()  # networks have circles, and the next one is to have the memory
        return outcome

    def each(self, jobs: Iterable[Job], watcher: JobWatcher) -> Results:
        """Yield the jobs with their outcomes, one after another; a row of a real step says where.

        A method that changes the process it runs in is unsupported.
        """
        for job in jobs:
            self._refuse_gpu(job.device)
            watcher.started(job.cells[0])
            if any(_CHANGES_ITS_PROCESS in cell.method for cell in job.cells):
                yield job, Outcome("unsupported", f"{self._names()} has no process of its own")
                continue
            outcome = job.measure(self, partial(watcher.heard, job.cells[0]))
            if job.device != SIMULATED:
                outcome.note(_HERE)
            yield job, outcome

    def _refuse_gpu(self, device: str) -> None:
        if device.startswith("cuda"):
            raise UsageError(
                f"{self._names()} is defined in a notebook or a script, where no other process "
                "finds it, and a GPU needs one: import it from a file, or take --device cpu"
            )

    def _names(self) -> str:
        return ", ".join(self._functions or [network.name for network in self._networks])


@contextmanager
def _generators_put_back(networks: Sequence[Network]) -> Iterator[None]:
    """Put the generators of torch, Python and numpy back, and those that networks may reach."""
    things = [each.thing for each in networks if isinstance(each.thing, nn.Module)]
    found = [thing for model in things for _, thing in reached(model)]
    found += vars(sys.modules["__main__"]).values()
    ways_back = [_way_back(thing) for thing in found if isinstance(thing, GENERATORS)]
    with python_and_numpy_put_back(), torch.random.fork_rng(devices=()):
        try:
            yield
        finally:
            for put_back in ways_back:
                put_back()


def _way_back(generator: Any) -> Callable[[], object]:
    if isinstance(generator, torch.Generator):
        return partial(generator.set_state, generator.get_state())
    if isinstance(generator, random.Random):
        return partial(generator.setstate, generator.getstate())
    if isinstance(generator, np.random.RandomState):
        return partial(generator.set_state, generator.get_state())
    bits = generator.bit_generator if isinstance(generator, np.random.Generator) else generator
    return partial(setattr, bits, "state", bits.state)
