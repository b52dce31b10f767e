"""Measurements on the machines of a Ray cluster, each in a process of its own there.

Ray is an extra: ``pip install 'xconv-bench[ray]'``. Every machine needs this package, and at the
same paths what measurements read: a file with a network of the user's, weights, data.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.events import Work
from xconv_bench.launch.job import Job, JobWatcher, Listener, Runner, unheard
from xconv_bench.launch.outcome import Outcome
from xconv_bench.launch.process import Launcher, Results

_TRIES_AFTER_A_DEATH = 3
_LONGEST_KNOCK_SECONDS = 10


class Cluster(Launcher):
    """Runs each job as a Ray task with a whole GPU, a machine's CPUs or, to simulate, one of them.

    ``address`` is that of a cluster; without it, RAY_ADDRESS, or else a cluster on this machine
    that ends with this process. A job whose machine dies is measured elsewhere.
    """

    def __init__(self, timeout_seconds: float, address: str | None = None) -> None:
        super().__init__(timeout_seconds)
        self._address = address
        self._nodes: set[str] = set()

    def run(
        self,
        work: Work,
        listener: Listener = unheard,
        device: str = SIMULATED,
        timeout_seconds: float | None = None,
    ) -> Outcome:
        """Return what the work yielded and how it ended. Raises UsageError where the work did."""
        ray = self._connect()
        measure = partial(_run, work, timeout_seconds)
        return self._outcome(ray, self._submit(ray, measure, device))

    def each(self, jobs: Iterable[Job], watcher: JobWatcher) -> Results:
        """Yield the jobs with their outcomes, each as soon as it is done."""
        ray = self._connect()
        waiting: dict[Any, Job] = {}
        try:
            for job in jobs:
                waiting[self._submit(ray, job.measure, job.device)] = job
            while waiting:
                (done, *_), _ = ray.wait(list(waiting))
                yield waiting.pop(done), self._outcome(ray, done)
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)

    def machines(self) -> list[dict[str, Any]]:
        """Return the machines that measured something, as ``environment.json`` has them."""
        ray = self._connect()
        nodes = {node["NodeID"]: node for node in ray.nodes()}
        found = []
        for name in sorted(self._nodes):
            strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(name, True)
            remote = ray.remote(_describe).options(num_cpus=0, scheduling_strategy=strategy)
            try:
                record = ray.get(remote.remote())
            except ray.exceptions.RayError:  # it died, perhaps: what it was is known in part
                record = {"host": nodes.get(name, {}).get("NodeManagerHostname"), "died": True}
            if record not in found:
                found.append(record)
        return found

    def _outcome(self, ray: Any, reference: Any) -> Outcome:
        """Return the outcome of a job, its death included. Raises UsageError where it did."""
        try:
            outcome, node = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            return Outcome("error", f"the cluster lost it: {' '.join(str(error).split())}")
        self._nodes.add(node)
        measured: Outcome = outcome
        return measured

    def _connect(self) -> Any:
        try:
            import ray
        except ImportError as error:
            raise UsageError(
                "--launcher ray needs Ray: pip install 'xconv-bench[ray]', or leave it out"
            ) from error
        if not ray.is_initialized():
            address = self._address or os.environ.get("RAY_ADDRESS")
            try:
                _knock(address)
                with _same_handler(signal.SIGTERM):
                    ray.init(
                        address,
                        log_to_driver=False,
                        logging_level=logging.ERROR,
                        runtime_env={"env_vars": {"PYTHONPATH": _python_path()}},
                    )
            except (OSError, ValueError, RuntimeError) as error:
                raise BenchError(
                    f"no Ray cluster answers at {address or 'this machine'} ({error}); start one "
                    "with ray start, or leave out --launcher ray"
                ) from error
        return ray

    def _submit(self, ray: Any, measure: Callable[[Runner, Listener], Outcome], device: str) -> Any:
        kind = device.partition(":")[0]
        needs = {"num_gpus": 1, "num_cpus": 1} if kind == "cuda" else {"num_cpus": _cpus(ray, kind)}
        if kind == "cuda" and ":" in device:
            raise UsageError(
                f"--device {device}: a cluster chooses the GPU; expected --device cuda"
            )
        remote = ray.remote(_work).options(max_retries=_TRIES_AFTER_A_DEATH, **needs)
        return remote.remote(measure, self._timeout_seconds, int(needs["num_cpus"]), os.getcwd())


def _knock(address: str | None) -> None:
    """Raise OSError at once where nobody listens: Ray itself would try for minutes."""
    host, colon, port = (address or "").rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), _LONGEST_KNOCK_SECONDS).close()


@contextmanager
def _same_handler(number: signal.Signals) -> Iterator[None]:
    """Keep what this process does on a signal, whatever happens inside."""
    handler = signal.getsignal(number)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, handler)


def _python_path() -> str:
    """Return the folder of this package, installed or not, before the user's own PYTHONPATH."""
    package = Path(__file__).resolve().parents[2]
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return os.pathsep.join([str(package), *map(os.path.abspath, given)])


def _cpus(ray: Any, kind: str) -> int:
    """Return 1 to simulate, else the CPUs of the largest machine, to keep it for one job."""
    if kind == SIMULATED:
        return 1
    return max(int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["Alive"])


def _work(
    measure: Callable[[Runner, Listener], Outcome],
    timeout_seconds: float,
    threads: int,
    folder: str,
) -> tuple[Outcome, str]:
    """Measure on a machine of the cluster as by hand there; return the outcome and the machine."""
    import ray

    if os.path.isdir(folder):
        os.chdir(folder)
    environment = {"OMP_NUM_THREADS": str(threads)}
    if "CUDA_VISIBLE_DEVICES" in os.environ:  # Ray's choice, for this task
        environment["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
    outcome = measure(Launcher(timeout_seconds, environment), unheard)
    return outcome, ray.get_runtime_context().get_node_id()


def _describe() -> dict[str, Any]:
    from xconv_bench.results.environment import describe_machine

    return describe_machine()


def _run(work: Work, timeout_seconds: float | None, runner: Runner, listener: Listener) -> Outcome:
    return runner.run(work, listener, timeout_seconds=timeout_seconds)
