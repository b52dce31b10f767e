"""Plans of comparisons of gradients: models with their data and weights, and what measures them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from xconv_bench.configuration import GradientConfiguration
from xconv_bench.data.sources import DataOptions, source_of
from xconv_bench.errors import BenchError
from xconv_bench.events import Work
from xconv_bench.experiments.gradients import measure_gradients
from xconv_bench.experiments.rows import Watcher
from xconv_bench.experiments.starting_weights import PreparationWatcher, prepare_weights
from xconv_bench.experiments.sweep import Sweep
from xconv_bench.launch import Launcher
from xconv_bench.measurement.comparison import Start
from xconv_bench.measurement.gradient_survey import GradientSurvey
from xconv_bench.measurement.starting_weights import file_name, label, needs_file
from xconv_bench.results.run_directory import RunDirectory

AnyGradientConfiguration = TypeVar("AnyGradientConfiguration", bound=GradientConfiguration)


class GradientWatcher(Watcher, PreparationWatcher, Protocol):
    """Watches an experiment and its preparations on behalf of the user."""


@dataclass(frozen=True)
class GradientPlan:
    """The options of a comparison of gradients, read; models and data are not looked at yet."""

    sweep: Sweep
    data: DataOptions
    weights: str
    warmup_steps: int
    layers: tuple[str, ...]
    launcher: Launcher

    def configurations(
        self, at_budget: bool = False, takes_inputs: bool = True
    ) -> list[GradientConfiguration]:
        """Return every cell with its data. Raises BenchError for models, layers or data that fail.

        With ``at_budget`` batch sizes are chosen later, and those of the sweep are ignored.
        ``takes_inputs`` says whether the command has ``--inputs``.
        """

        sweep = self.sweep
        survey = GradientSurvey(
            sweep.models, sweep.devices, sweep.image_sizes,
            () if at_budget else sweep.batch_sizes, self.layers, self.data, self.weights,
            takes_inputs,
        )  # fmt: skip
        outcome = self.launcher.run(survey)
        if outcome.status != "ok":
            raise BenchError(outcome.message)
        known = outcome.readings
        weights = label(self.weights)
        return [
            cell.extended(
                GradientConfiguration,
                data=known["data"][cell.model],
                samples=known["samples"][cell.model],
                weights=weights,
                warmup_steps=self.warmup_steps,
            )
            for cell in sweep.configurations(known["designed_sizes"])
        ]

    def start(self, cell: GradientConfiguration, run: RunDirectory) -> Start:
        """Return where samples and weights of a cell come from."""

        data = replace(self.data, name=source_of(cell.data), samples=cell.samples)
        weights = run.weights / file_name(cell) if needs_file(cell) else None
        return Start(data, weights)

    def measure(
        self,
        cells: Sequence[AnyGradientConfiguration],
        run: RunDirectory,
        tables: Sequence[str],
        measurement: Callable[[AnyGradientConfiguration, Start], Work],
        watcher: GradientWatcher,
    ) -> None:
        """Measure the cells that the tables lack and write their rows."""

        opened = [run.table(name) for name in tables]
        starts = {cell: self.start(cell, run) for cell in cells}
        prepare_weights(starts.items(), self.launcher, watcher, self.data.download)
        measure_gradients(
            cells, opened, self.launcher, watcher, lambda cell: measurement(cell, starts[cell])
        )
