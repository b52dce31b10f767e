"""Tables as people read them in a terminal: a description for each, and one engine for all."""

from collections.abc import Mapping, Sequence
from typing import IO

from xconv_bench.report.rows import Beside, Row
from xconv_bench.report.tables import gradients, layers, methods, training
from xconv_bench.report.tables.engine import DescribeTable
from xconv_bench.report.tables.terminal import print_tables

DESCRIBED: Mapping[str, DescribeTable] = {
    "memory": methods.memory,
    "max_batch": methods.max_batch,
    "frontier": methods.frontier,
    "runtime": methods.runtime,
    "age": methods.average_error,
    "error": gradients.error,
    "variance": gradients.variance,
    "layers": layers.layers,
    "advice": layers.advice,
    "training": training.training,
}
"""The descriptions of tables that are printed, by their names."""


def print_table(
    table: str, rows: Sequence[Row], beside: Beside | None = None, file: IO[str] | None = None
) -> None:
    """Print a table for people to ``file``, or to standard output where it is None.

    ``rows`` are as ``Table.rows`` returns them.
    """
    print_tables(DESCRIBED[table](rows, beside or Beside()), file)
