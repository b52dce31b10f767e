"""The commands that measure, by their names; each returns an experiment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from xconv_bench.cli.advise import advise
from xconv_bench.cli.error import error
from xconv_bench.cli.experiment import Experiment
from xconv_bench.cli.frontier import frontier
from xconv_bench.cli.layers import layers
from xconv_bench.cli.max_batch import max_batch
from xconv_bench.cli.memory import memory
from xconv_bench.cli.runtime import runtime
from xconv_bench.cli.train import train
from xconv_bench.cli.variance import variance

MEASURING: dict[str, Callable[..., Experiment]] = {
    "memory": memory,
    "max-batch": max_batch,
    "error": error,
    "variance": variance,
    "layers": layers,
    "runtime": runtime,
    "frontier": frontier,
    "train": train,
    "advise": advise,
}


def parsers() -> dict[str, Any]:
    """Return what parses the words of each of these commands, by their names."""
    app = typer.Typer()
    for name, function in MEASURING.items():
        app.command(name)(function)
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return commands
