"""Weights that several measurements start from: made once, kept beside the tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from xconv_bench.configuration import GradientConfiguration
from xconv_bench.errors import BenchError
from xconv_bench.launch import Launcher
from xconv_bench.measurement.comparison import Start
from xconv_bench.measurement.starting_weights import StartingWeights
from xconv_bench.naming import model_words


class PreparationWatcher(Protocol):
    """Watches preparations, such as that of weights, on behalf of the user."""

    def prepares(self, what: str) -> None:
        """Hear that a preparation begins."""

    def prepared(self, what: str, message: str) -> None:
        """Hear that it is done; ``message`` says what came of it."""


def prepare_weights(
    starts: Iterable[tuple[GradientConfiguration, Start]],
    launcher: Launcher,
    watcher: PreparationWatcher,
    download: bool,
) -> None:
    """Write the files that the starts name and that do not exist.

    Raises BenchError where that fails: without its weights no cell can be measured.
    """
    for cell, start in starts:
        if start.weights is None or start.weights.exists():
            continue
        source = f"{cell.weights}, {cell.warmup_steps} steps of warm-up"
        what = f"weights of {model_words(cell.model)}: {source}"
        watcher.prepares(what)
        outcome = launcher.run(StartingWeights(cell, start.data, download, start.weights))
        if outcome.status != "ok":
            raise BenchError(outcome.message)
        watcher.prepared(what, outcome.message)
