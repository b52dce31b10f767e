"""Plan cells that compare gradients from options, and measure their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from xconv_bench import parsing
from xconv_bench.cli.given import GradientOptions
from xconv_bench.cli.sweeps import read_devices, read_launcher, read_sweep
from xconv_bench.configuration import GradientConfiguration
from xconv_bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.data.sources import DataOptions
    from xconv_bench.experiments.sweep import Sweep
    from xconv_bench.launch import Launcher
    from xconv_bench.launch.worker import Work
    from xconv_bench.measurement.comparison import Start
    from xconv_bench.results.run_directory import RunDirectory

Cell = TypeVar("Cell", bound=GradientConfiguration)


@dataclass(frozen=True)
class GradientPlan:
    """The options of a comparison of gradients, read; models and data are not looked at yet."""

    sweep: Sweep
    data: DataOptions
    weights: str
    warmup_steps: int
    layers: tuple[str, ...]
    launcher: Launcher

    def configurations(self, at_budget: bool = False) -> list[GradientConfiguration]:
        """Return every cell with its data. Raises BenchError for models, layers or data that fail.

        With ``at_budget`` batch sizes are chosen later, and those of the sweep are ignored.
        """
        from xconv_bench.measurement.gradient_survey import GradientSurvey
        from xconv_bench.measurement.starting_weights import label

        sweep = self.sweep
        survey = GradientSurvey(
            sweep.models, sweep.devices, sweep.image_sizes,
            () if at_budget else sweep.batch_sizes, self.layers, self.data, self.weights,
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
        from xconv_bench.data.sources import source_of
        from xconv_bench.measurement.comparison import Start
        from xconv_bench.measurement.starting_weights import file_name, needs_file

        data = replace(self.data, name=source_of(cell.data), samples=cell.samples)
        weights = run.weights / file_name(cell) if needs_file(cell) else None
        return Start(data, weights)

    def measure(
        self,
        cells: Sequence[Cell],
        run: RunDirectory,
        tables: Sequence[str],
        measurement: Callable[[Cell, Start], Work],
        progress: SweepProgress,
    ) -> None:
        """Measure the cells that the tables lack and write their rows."""
        from xconv_bench.experiments.gradients import measure_gradients
        from xconv_bench.experiments.starting_weights import prepare_weights

        opened = [run.table(name) for name in tables]
        starts = {cell: self.start(cell, run) for cell in cells}
        prepare_weights(starts.items(), self.launcher, progress, self.data.download)
        measure_gradients(
            cells, opened, self.launcher, progress, lambda cell: measurement(cell, starts[cell])
        )


def gradient_plan(given: GradientOptions) -> GradientPlan:
    """Read the options. Raises UsageError for what an option does not take."""
    from xconv_bench.data.sources import IN_A_FOLDER, DataOptions

    if given.data_dir is not None and given.data not in IN_A_FOLDER:
        raise UsageError(f"--data-dir needs --data, one of {', '.join(IN_A_FOLDER)}")
    return GradientPlan(
        read_sweep(given, read_devices(given.device)),
        DataOptions(given.data, given.samples, given.data_dir, given.download),
        given.weights,
        given.warmup_steps,
        parsing.words("--layer", given.layer) if given.layer else (),
        read_launcher(given),
    )
