"""Gradients held against the exact ones: a configuration becomes a row for each layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xconv_bench.events import Work
from xconv_bench.experiments.rows import AnyConfiguration, Watcher, measure_missing
from xconv_bench.experiments.writing import RowWriter
from xconv_bench.launch import Job, Launcher
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.results.table import Table


def measure_gradients(
    configurations: Sequence[AnyConfiguration],
    tables: Sequence[Table],
    launcher: Launcher,
    watcher: Watcher,
    measurement: Callable[[AnyConfiguration], Work],
) -> None:
    """Measure what the tables do not hold yet.

    ``measurement`` makes the work of a configuration, which yields rows for each of the
    ``tables``. A configuration is known by the last table's row of all layers.
    """
    measure_missing(
        [(configuration,) for configuration in configurations],
        RowWriter(*tables, known_by=lambda row: {"layer": ALL_LAYERS}),
        launcher,
        watcher,
        lambda group: Job.of(measurement(group[0]), *group),
    )
