"""A run that is killed at random moments, again and again, loses nothing and repeats nothing.

XCONV_BENCH_KILLS=100 kills it so many times; by default a few times, as a test has to be quick.
"""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from own_networks import name
from processes import catches, listen_to_interrupts, living_in_session, wait_until

from xconv_bench.results.run_directory import RunDirectory
from xconv_bench.results.schema import TABLES as SCHEMAS
from xconv_bench.results.table import Row, Table

ROOT = Path(__file__).resolve().parents[3]
KILLS = int(os.environ.get("XCONV_BENCH_KILLS", "3"))
LONGEST_SECONDS = 4.0
"""A run of the profile takes a little more, so that a kill may come at any of its moments."""

PROFILE = f"""
title = "To be killed"
[settings]
model = "{name("plain")}"
image-size = 12
method = ["exact", "xconv"]
scheme = ["independent", "multi"]
probes = 1
cross-check = false
[[experiment]]
command = "layers"
batch-size = 1
[[experiment]]
command = "memory"
batch-size = [1, 2]
simulate = true
[[experiment]]
command = "max-batch"
memory-budget = "1MiB"
max = 4
"""
TABLES = ("memory", "layers", "max_batch")
CELLS = {"memory": 6, "layers": 3, "max_batch": 3}


def begin(folder: Path, *, at: float, by: str) -> str:
    """Run or resume, kill it ``at`` seconds after its start, and return what it said.

    It has started once it listens: while the interpreter itself loads, no program can catch
    Ctrl-C, and Python says so with a traceback.
    """
    words = ["run", "--resume", "run"]
    if not (folder / "run/profile.toml").exists():
        words = ["run", "mine.toml", "--output", "run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "xconv_bench", *words], cwd=folder, env=environment,
            stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            preexec_fn=listen_to_interrupts,
        )  # fmt: skip
    try:
        assert wait_until(lambda: catches(process.pid, signal.SIGTERM))
        process.wait(timeout=at)
    except subprocess.TimeoutExpired:
        kill(process, by)
    process.wait(timeout=60)
    said = (folder / "errors").read_text()
    for pid in living_in_session(process.pid):
        os.kill(pid, signal.SIGKILL)
    return said


def kill(process: "subprocess.Popen[bytes]", by: str) -> None:
    """Kill it as a person, a system or a machine would."""
    if by == "SIGINT":
        os.killpg(process.pid, signal.SIGINT)
    elif by == "all":
        os.killpg(process.pid, signal.SIGKILL)
    elif by == "workers":
        for pid in living_in_session(process.pid):
            if pid != process.pid:
                os.kill(pid, signal.SIGSEGV)
        process.kill()
    else:
        process.send_signal(signal.Signals[by])


def rows_of(folder: Path) -> dict[str, list[Row]]:
    """All rows; strict: half a row that is read would be an error."""
    return {name: Table(folder / f"run/{name}.csv", SCHEMAS[name]).rows() for name in TABLES}


def finished_cells(rows: dict[str, list[Row]]) -> dict[str, int]:
    """Return how many measurements are complete: layers are once they have their first moment."""
    return {
        table: sum(row.get("position", 0) == 0 and row["status"] == "ok" for row in some)
        for table, some in rows.items()
    }


def test_killed_at_random_moments(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PROFILE)
    chance = random.Random(0)
    kept: dict[str, list[Row]] = {table: [] for table in TABLES}
    for _ in range(KILLS):
        by = chance.choice(["SIGKILL", "SIGTERM", "SIGINT", "all", "workers"])
        said = begin(tmp_path, at=chance.uniform(0, LONGEST_SECONDS), by=by)
        assert "Traceback" not in said, said
        rows = rows_of(tmp_path)
        for table in TABLES:
            complete = [row for row in kept[table] if row["status"] == "ok"]
            assert all(row in rows[table] for row in complete), f"{by}: {table} lost rows"
        known = said.count("already measured")
        assert known in (0, sum(finished_cells(kept).values())) or "SIG" in by, said
        kept = rows
        if finished_cells(rows) == CELLS:  # again from the beginning, as often as it takes
            (tmp_path / "run").rename(tmp_path / f"run{time.monotonic_ns()}")
            kept = {table: [] for table in TABLES}
    before = sum(finished_cells(kept).values())
    said = begin(tmp_path, at=120, by="SIGKILL")
    assert finished_cells(rows_of(tmp_path)) == CELLS, said
    assert said.count("already measured") == before
    keys = [tuple(row[c] for c in ("batch_size", "method", "scheme", "probes"))
            for row in rows_of(tmp_path)["memory"]]  # fmt: skip
    assert len(keys) == len(set(keys))


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """A file may not grow beyond some bytes: the system says so as it does of a full disk."""
    (tmp_path / "mine.toml").write_text(PROFILE)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))

    words = ["run", "mine.toml", "--output", "run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    full = subprocess.run(
        [sys.executable, "-m", "xconv_bench", *words], cwd=tmp_path, env=environment,
        capture_output=True, text=True, preexec_fn=limit, check=False, timeout=120,
    )  # fmt: skip
    assert full.returncode == 1, full.stderr
    assert "Traceback" not in full.stderr
    assert full.stderr.splitlines()[-1].startswith("xconv-bench: run/layers.csv cannot be used: ")
    kept = rows_of(tmp_path)
    measured = finished_cells(kept)["layers"]
    assert 0 < measured < CELLS["layers"]
    said = begin(tmp_path, at=120, by="SIGKILL")
    assert finished_cells(rows_of(tmp_path)) == CELLS, said
    assert said.count("already measured") == measured
    assert rows_of(tmp_path)["layers"][: len(kept["layers"])] == kept["layers"]


def test_two_runs_at_once(tmp_path: Path) -> None:
    with RunDirectory("run", "mine", tmp_path / "run"):
        (tmp_path / "mine.toml").write_text(PROFILE)
        said = begin(tmp_path, at=120, by="SIGKILL")
    assert "xconv-bench: run is in use by another run" in said
    assert not (tmp_path / "run/memory.csv").exists()
