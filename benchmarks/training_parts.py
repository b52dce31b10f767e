"""Parallel training of the cells of an experiment, with results merged into one run.

Each training has one thread: as many trainings as there are cores do not disturb each other, and
their results do not depend on how many run at a time.
"""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Table

DIALS = {"independent": "probes", "spectral": "bits", "quantized": "bits", "rad-sampling": "keep"}
"""The option that says how much is kept, by scheme or by method."""


def cells(experiment: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the options of each training of ``experiment``.

    They are the options of a profile, which are lists of values.
    """
    common = [
        option
        for name in ("model", "first", "compress")
        for option in ([f"--{name}", _word(experiment[name])] if name in experiment else [])
    ]
    tasks, seeds = experiment.get("task", ["classification"]), range(experiment["seeds"])
    for seed, task, method in itertools.product(seeds, tasks, experiment["method"]):
        where = ["--task", task, "--seed", str(seed), *common]
        for way in _ways(method, experiment):
            yield [*where, "--method", method, *way]


def _word(value: Any) -> str:
    """Return the one value of an option that a profile gives by itself or as a list."""
    return value if isinstance(value, str) else ",".join(map(str, value))


def _ways(method: str, experiment: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the options that tell the trainings of one method apart."""
    schemes = experiment["scheme"] if method == "xconv" else [method]
    for scheme in schemes:
        named = ["--scheme", scheme] if method == "xconv" else []
        dial = DIALS.get(scheme)
        for value in experiment[dial] if dial else [None]:
            yield [*named, *([f"--{dial}", str(value)] if dial else [])]


def train(experiment: Mapping[str, Any], run: Path, processes: int) -> None:
    """Train all cells, ``processes`` at a time, each in a directory below ``run``; then merge them.

    A cell whose rows exist is not trained again.
    """
    parts = {run / "parts" / _name(cell): cell for cell in cells(experiment)}
    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(_train, parts, parts.values()))
    merge(sorted(parts), run)


def _name(cell: Sequence[str]) -> str:
    return "-".join(word.removeprefix("--").replace("/", "_") for word in cell)


def _train(part: Path, cell: Sequence[str]) -> None:
    command = [sys.executable, "-m", "xconv_bench", "train", *cell, "--device", "cpu"]
    subprocess.run(
        [*command, "--output", str(part)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip


def merge(parts: Sequence[Path], run: Path) -> None:
    """Merge rows and pictures of ``parts`` into ``run``, with the first part's environment."""
    run.mkdir(parents=True, exist_ok=True)
    whole = Table(run / "training.csv", TABLES["training"])
    for part in parts:
        whole.put(*Table(part / "training.csv", TABLES["training"]).rows())
        if (part / "pictures").exists():
            shutil.copytree(part / "pictures", run / "pictures", dirs_exist_ok=True)
        if not (run / "environment.json").exists() and (part / "environment.json").exists():
            shutil.copyfile(part / "environment.json", run / "environment.json")
