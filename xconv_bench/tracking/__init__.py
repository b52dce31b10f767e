"""Trackers of experiments that rows are logged to: one file each, and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from xconv_bench.errors import UsageError, suggest
from xconv_bench.tracking.destination import Destination
from xconv_bench.tracking.logger import Logger
from xconv_bench.tracking.mlflow_runs import MlflowRuns
from xconv_bench.tracking.tensorboard_files import TensorboardFiles

DESTINATIONS: dict[str, type[Destination]] = {
    "tensorboard": TensorboardFiles,
    "mlflow": MlflowRuns,
}


def read_places(option: str, places: Sequence[str]) -> tuple[str, ...]:
    """Return ``places``, each ``NAME:WHERE``. Raises UsageError for one that cannot be logged to.

    Nothing is written; the library of each has been imported.
    """
    for place in places:
        name, _, where = place.partition(":")
        if name not in DESTINATIONS:
            raise UsageError(
                f"{option} {place!r}: {name!r} is unknown: {suggest(name, DESTINATIONS)}"
            )
        if not where:
            raise UsageError(f"{option} {place!r}: expected {DESTINATIONS[name].form}")
        DESTINATIONS[name].check()
    return tuple(places)


@contextmanager
def opened(
    places: Sequence[str], experiment: str, says: Callable[[str], None]
) -> Iterator[list[Logger]]:
    """Open loggers to these places; what does not end inside is logged as killed.

    ``says`` is told where a place stops taking rows. Raises BenchError where one cannot be opened.
    """
    with ExitStack() as stack:
        loggers = []
        for place in places:
            name, _, where = place.partition(":")
            logger = Logger(place, DESTINATIONS[name](where, experiment), says)
            stack.callback(logger.close)
            loggers.append(logger)
        yield loggers
