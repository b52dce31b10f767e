"""Measurements on a Ray cluster: rows stream back, and a machine that dies costs none of them."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import own_networks
import pytest
from own_networks import name
from processes import wait_until

from xconv_bench.configuration import Configuration
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.launch import Job
from xconv_bench.launch.cluster import Cluster

Command = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[3]
SWEEP = [
    "memory", "--model", name("Waits"), "--simulate", "--image-size", "8", "--method", "exact",
    "--batch-size", "1,2,3", "--no-cross-check",
]  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without CPUs and two machines of one CPU each, all here."""
    ray_cluster = pytest.importorskip("ray.cluster_utils")
    monkeypatch.setenv(own_networks.BLOCKER, str(tmp_path / "blocker"))
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    cluster = ray_cluster.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    try:
        yield cluster
    finally:
        cluster.shutdown()


def rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_machine_dies_on_the_way(cluster: Any, tmp_path: Path) -> None:
    """The networks of batch 2 and up wait, one on each machine, until one machine is dead."""
    cluster.add_node(num_cpus=1)
    second = cluster.add_node(num_cpus=1)
    (tmp_path / "blocker").touch()
    errors = tmp_path / "errors"
    with errors.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "xconv_bench", *SWEEP, "--launcher", "ray",
             "--address", cluster.address, "--output", "run"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL, stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        table = tmp_path / "run/memory.csv"
        assert wait_until(lambda: rows(table)), errors.read_text()
        assert [row["batch_size"] for row in rows(table)] == ["1"]
        time.sleep(1)  # each machine has one that waits by now, or will soon: either is fine
        cluster.remove_node(second, allow_graceful=False)
        (tmp_path / "blocker").unlink()
        assert process.wait(timeout=120) == 0, errors.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert sorted(row["batch_size"] for row in rows(table)) == ["1", "2", "3"]
    assert {row["status"] for row in rows(table)} == {"ok"}
    record = json.loads((tmp_path / "run/environment.json").read_text())
    assert record["machines"]


def test_without_ray(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    finished = command(*SWEEP, "--launcher", "ray")
    assert finished.code == 2
    assert finished.errors == (
        "xconv-bench: --launcher ray needs Ray: pip install 'xconv-bench[ray]', or leave it out\n"
    )


def test_nobody_answers() -> None:
    pytest.importorskip("ray")
    with pytest.raises(BenchError, match=r"no Ray cluster answers at 127\.0\.0\.1:9"):
        Cluster(60, "127.0.0.1:9").run(lambda: [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--launcher", "slurm"], "--launcher 'slurm' is unknown: choose from local, ray"),
        (["--launcher", "ray", "--jobs", "2"], "--jobs counts jobs on this machine"),
        (
            ["--address", "head:6379"],
            "--address belongs to a cluster: it needs --launcher ray",
        ),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_mistakes(command: Command, arguments: list[str], message: str) -> None:
    finished = command(*SWEEP, *arguments)
    assert finished.code == 2 and message in finished.errors
    assert len(finished.errors.splitlines()) == 1


class FakeRay:
    """The resources that a cluster is asked for."""

    def __init__(self) -> None:
        self.needs: dict[str, Any] = {}

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"Alive": True, "Resources": {"CPU": 8.0}},
            {"Alive": True, "Resources": {}},
            {"Alive": False, "Resources": {"CPU": 64.0}},
        ]

    def remote(self, function: Any) -> Any:
        return self

    def options(self, **needs: Any) -> Any:
        self.needs = needs
        return type("Task", (), {"remote": staticmethod(lambda *given: given[2])})


@pytest.mark.parametrize(
    ("device", "needs"),
    [
        ("simulated", {"num_cpus": 1}),
        ("cpu", {"num_cpus": 8}),
        ("cuda", {"num_cpus": 1, "num_gpus": 1}),
    ],
)
def test_what_a_job_asks_for(device: str, needs: dict[str, int]) -> None:
    """A whole GPU; to be timed, a machine; to simulate, a core."""
    ray = FakeRay()
    job = Job.of(lambda: [], Configuration("net", device=device))
    threads = Cluster(60)._submit(ray, job.measure, job.device)
    assert {key: ray.needs[key] for key in needs} == needs
    assert ray.needs.keys() - needs.keys() == {"max_retries"}
    assert threads == needs["num_cpus"]


def test_a_gpu_by_its_number_is_not_to_be_had() -> None:
    with pytest.raises(UsageError, match="a cluster chooses the GPU; expected --device cuda"):
        Cluster(60)._submit(FakeRay(), lambda *_: None, "cuda:1")  # type: ignore[arg-type, return-value]
