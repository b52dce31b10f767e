"""Measurements on the machines of a Ray cluster, each in a process of its own there.

Ray is an extra: ``pip install 'xconv-bench[ray]'``. Every machine needs this package, and at the
same paths what measurements read: a file with a network of the user's, weights, data.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.launch.job import Job, Progress, Watcher, untold
from xconv_bench.launch.outcome import Outcome
from xconv_bench.launch.process import Launcher, Results
from xconv_bench.launch.worker import Work

_TRIES_AFTER_A_DEATH = 3


class Cluster(Launcher):
    """A Ray task a job, which has a whole GPU, a machine's CPUs or, to simulate, one of them.

    ``address`` is that of a cluster; without it, RAY_ADDRESS, or else a cluster on this machine
    that ends with this process. A job whose machine dies is measured elsewhere.
    """

    def __init__(self, timeout_seconds: float, address: str | None = None) -> None:
        super().__init__(timeout_seconds)
        self._address = address

    def run(self, task: Work, on_progress: Progress = untold, device: str = SIMULATED) -> Outcome:
        """What the task yielded and how it ended. Raises UsageError where the task did."""
        ray = self._connect()
        reference = self._submit(ray, partial(_run, task), device)
        return _outcome(ray, reference)

    def each(self, jobs: Iterable[Job], watcher: Watcher) -> Results:
        """The jobs with what came of them, each as soon as it is done."""
        ray = self._connect()
        waiting: dict[Any, Job] = {}
        try:
            for job in jobs:
                waiting[self._submit(ray, job.measure, job.device)] = job
                watcher.started(job.cells[0])
            while waiting:
                (done, *_), _ = ray.wait(list(waiting))
                yield waiting.pop(done), _outcome(ray, done)
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)

    def _connect(self) -> Any:
        try:
            import ray
        except ImportError as error:
            raise UsageError(
                "--launcher ray needs Ray: pip install 'xconv-bench[ray]', or leave it out"
            ) from error
        if not ray.is_initialized():
            try:
                ray.init(
                    self._address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    runtime_env={"env_vars": {"PYTHONPATH": _python_path()}},
                )
            except (ConnectionError, ValueError, RuntimeError) as error:
                where = self._address or os.environ.get("RAY_ADDRESS") or "this machine"
                raise BenchError(
                    f"no Ray cluster answers at {where} ({error}); start one with ray start, or "
                    "leave out --launcher ray"
                ) from error
        return ray

    def _submit(
        self, ray: Any, measure: Callable[[Launcher, Progress], Outcome], device: str
    ) -> Any:
        kind = device.partition(":")[0]
        needs = {"num_gpus": 1, "num_cpus": 1} if kind == "cuda" else {"num_cpus": _cpus(ray, kind)}
        if kind == "cuda" and ":" in device:
            raise UsageError(
                f"--device {device}: a cluster chooses the GPU; expected --device cuda"
            )
        task = ray.remote(_work).options(max_retries=_TRIES_AFTER_A_DEATH, **needs)
        return task.remote(measure, self._timeout_seconds, int(needs["num_cpus"]), os.getcwd())


def _python_path() -> str:
    """Where this package lies, also where it is not installed, and what the user has beside it."""
    package = Path(__file__).resolve().parents[2]
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return os.pathsep.join([str(package), *map(os.path.abspath, given)])


def _cpus(ray: Any, kind: str) -> int:
    """One to simulate; to be timed, all of the largest machine, so that nothing else runs there."""
    if kind == SIMULATED:
        return 1
    return max(int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["Alive"])


def _work(
    measure: Callable[[Launcher, Progress], Outcome],
    timeout_seconds: float,
    threads: int,
    folder: str,
) -> Outcome:
    """On a machine of the cluster: the measurement as it would be made by hand there."""
    if os.path.isdir(folder):
        os.chdir(folder)
    environment = {"OMP_NUM_THREADS": str(threads)}
    if "CUDA_VISIBLE_DEVICES" in os.environ:  # Ray's choice, for this task
        environment["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
    return measure(Launcher(timeout_seconds, environment), untold)


def _run(task: Work, launcher: Launcher, on_progress: Progress) -> Outcome:
    return launcher.run(task, on_progress)


def _outcome(ray: Any, reference: Any) -> Outcome:
    """What came of a task; its death is an outcome too. Raises UsageError where the task did."""
    try:
        outcome: Outcome = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        return Outcome("error", f"the cluster lost it: {' '.join(str(error).split())}")
    return outcome
