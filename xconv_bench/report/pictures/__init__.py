"""Describe the pictures of each table: which rows, axes, curves and words."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from xconv_bench.report.canvas import draw
from xconv_bench.report.pictures import bars, error, frontier, layers, ratios, training, variance
from xconv_bench.report.pictures.lines import DescribePictures
from xconv_bench.report.rows import Beside, Row

DESCRIBED: Mapping[str, DescribePictures] = {
    "memory": bars.memory,
    "max_batch": bars.max_batch,
    "frontier": frontier.frontier,
    "runtime": ratios.runtime,
    "layers": layers.layers,
    "error": error.error,
    "age": error.age,
    "estimates": error.estimates,
    "variance": variance.variance,
    "training": training.training,
}
"""The descriptions of the pictures of a table, by its name; other tables have no pictures."""


def plot(table: str, rows: Sequence[Row], folder: Path, beside: Beside | None = None) -> list[Path]:
    """Draw the pictures of a table in ``folder``, PNG and SVG, and return their paths.

    ``rows`` are as ``Table.rows`` returns them. Rows of several settings make a picture each, told
    apart by the ends of their names. Nothing is drawn, and no folder made, where nothing was
    measured. Raises BenchError where a file cannot be written.
    """
    described = DESCRIBED.get(table)
    return [] if described is None else draw(described(rows, beside or Beside()), folder)
