"""Plan cells that compare gradients from options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xconv_bench import parsing
from xconv_bench.cli.given import GradientOptions
from xconv_bench.cli.sweeps import read_devices, read_launcher, read_sweep
from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    from xconv_bench.experiments.gradient_plan import GradientPlan


def gradient_plan(given: GradientOptions) -> GradientPlan:
    """Read the options. Raises UsageError for what an option does not take."""
    from xconv_bench.data.sources import IN_A_FOLDER, DataOptions
    from xconv_bench.experiments.gradient_plan import GradientPlan

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
