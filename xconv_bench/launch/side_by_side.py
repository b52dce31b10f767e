"""Several measurements at once on one machine, where they do not disturb each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from xconv_bench.events import Work
from xconv_bench.launch.job import Job, JobWatcher
from xconv_bench.launch.outcome import Outcome
from xconv_bench.launch.process import Launcher, Results

_VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class _Place:
    """The place that a job takes: a ``kind`` of device, perhaps shared, and perhaps a GPU."""

    kind: str
    gpu: int | None = None
    is_chosen: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """Return what lets the work see the GPU of its place only, unless the user chose one."""
        if self.gpu is None or self.is_chosen:
            return {}
        return {_VISIBLE: _visible(self.gpu)}


class SideBySide(Launcher):
    """Runs up to ``jobs`` at once: simulations beside simulations, one job on each GPU.

    Measurements on the CPU have the machine alone, and no simulation runs beside a GPU that is
    measured: it would take the time that the CPU needs to feed it.
    """

    def __init__(self, timeout_seconds: float, jobs: int = 1) -> None:
        super().__init__(timeout_seconds)
        self._jobs = jobs

    def each(self, jobs: Iterable[Job], watcher: JobWatcher) -> Results:
        """Yield the jobs with their outcomes, each as soon as it is done."""
        if self._jobs == 1:
            yield from super().each(jobs, watcher)
            return
        waiting = list(jobs)
        running: dict[Future[Outcome], tuple[Job, _Place]] = {}
        launchers: list[_Stoppable] = []
        pool = ThreadPoolExecutor(self._jobs)
        try:
            while waiting or running:
                places = [place for _, place in running.values()]
                if started := self._next(waiting, places):
                    job, place = started
                    waiting.remove(job)
                    watcher.started(job.cells[0])
                    launchers.append(_Stoppable(self._timeout_seconds, place.environment))
                    told = partial(watcher.heard, job.cells[0])
                    running[pool.submit(job.measure, launchers[-1], told)] = (job, place)
                    continue
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future)[0], future.result()
        finally:
            for launcher in launchers:
                launcher.stop()
            pool.shutdown()

    def _next(self, waiting: list[Job], taken: list[_Place]) -> tuple[Job, _Place] | None:
        """Return the first job that may begin beside those that run, and its place."""
        if len(taken) < self._jobs:
            for job in waiting:
                place = _place(job.device, taken)
                if place is not None:
                    return job, place
        return None


class _Stoppable(Launcher):
    """A launcher of a thread, which another thread stops."""

    def __init__(self, timeout_seconds: float, environment: Mapping[str, str]) -> None:
        super().__init__(timeout_seconds, environment)
        self._is_stopped = False
        self._process: BaseProcess | None = None

    def stop(self) -> None:
        """End what runs, and begin nothing more."""
        self._is_stopped = True
        if self._process is not None:
            self._process.kill()

    def _start(self, work: Work) -> tuple[BaseProcess, Connection]:
        self._process, pipe = super()._start(work)
        if self._is_stopped:
            self._process.kill()
        return self._process, pipe


def _place(device: str, taken: list[_Place]) -> _Place | None:
    """Return where a job on ``device`` may run now; None where it has to wait."""
    kind = device.partition(":")[0]
    if not taken:
        return _free(device, taken)
    if kind == "cpu" or any(place.kind != kind for place in taken):
        return None
    return _free(device, taken)


def _free(device: str, taken: list[_Place]) -> _Place | None:
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return _Place(kind)
    busy = {place.gpu for place in taken}
    if index:
        return None if int(index) in busy else _Place(kind, int(index), is_chosen=True)
    free = next((gpu for gpu in range(_gpu_count()) if gpu not in busy), None)
    return None if free is None and taken else _Place(kind, free)


def _gpu_count() -> int:
    import torch

    return torch.cuda.device_count()


def _visible(gpu: int) -> str:
    """Return the driver's name of the GPU that torch counts as ``gpu`` here."""
    names = [name.strip() for name in os.environ.get(_VISIBLE, "").split(",") if name.strip()]
    return names[gpu] if gpu < len(names) else str(gpu)
