"""Measure the study of docs/training.md: six tasks, another classifier, the MNIST table.

Run ``python -m benchmarks.training``. It takes some hours on two cores, and continues where it was
interrupted. It calls ``xconv-bench``, copies its tables and pictures, and puts the figures into the
page. With ``--processes 16`` that many trainings run side by side, of one thread each.
"""

import argparse
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.study import keep, measure
from benchmarks.training_page import write_page
from benchmarks.training_parts import train

RUNS = Path("runs/training")
_CIFAR = ["train", "--model", "paper/cifar", "--seeds", "3"]
COMMANDS = {
    "tasks": [["run", "tasks"]],
    "cifar": [
        [*_CIFAR, "--method", "exact,xconv", "--scheme", "independent,spectral",
         "--probes", "16,64", "--bits", "0.5,1"],
        [*_CIFAR, "--method", "quantized", "--bits", "1,2"],
    ],
    "mnist": [["run", "paper/mnist", "--set", "seeds=3"]],
}  # fmt: skip
PROFILE = Path("profiles/tasks.toml")
KEPT = ("training.csv", "environment.json", "plots/*.png")


def main() -> None:
    """Train what has not been trained yet, then write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the page")
    parser.add_argument("--page-only", action="store_true", help="train nothing")
    parser.add_argument("--only", choices=COMMANDS, help="run this command only")
    parser.add_argument("--processes", type=int, default=1, help="trainings at a time")
    arguments = parser.parse_args()
    folder = arguments.output / "training"
    if not arguments.page_only:
        chosen = [arguments.only] if arguments.only else list(COMMANDS)
        for name in chosen:
            if arguments.processes > 1:
                for experiment in experiments(name):
                    train(experiment, RUNS / name, arguments.processes)
            for command in COMMANDS[name]:
                measure(command, RUNS / name)
        # Copied last, so that measurements record a checkout without changes.
        for name in chosen:
            keep(RUNS / name, folder / name, KEPT)
    write_page(arguments.output / "training.md", folder)


def experiments(name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the experiments that a command trains, except those that cannot run side by side."""
    profile = tomllib.loads(PROFILE.read_text())
    if name == "tasks":
        yield from ({**profile["settings"], **each} for each in profile["experiment"])
    if name == "cifar":
        own = {"task": ["classification"], "model": "paper/cifar"}
        yield from ({**profile["settings"], **each, **own} for each in profile["experiment"][:2])


if __name__ == "__main__":
    main()
