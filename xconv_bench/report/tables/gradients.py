"""Parts of the tables of gradients: the whole network first, then layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from xconv_bench.naming import dial_words
from xconv_bench.report.settings import Comparable, by_estimator, by_layer, is_reference, of_network
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.engine import ExactOf, Figure, methods_part
from xconv_bench.report.tables.terminal import Block, TextColumn
from xconv_bench.results.schema import ALL_LAYERS

LayerRows = dict[str, list[Row]]
"""The rows of each layer, by its name."""


def no_columns(lines: LayerRows) -> Sequence[TextColumn]:
    """Add nothing to the columns of a layer."""
    return ()


def gradient_parts(
    setting: Comparable,
    figures: Sequence[Figure[Row]],
    layers: Sequence[str] | None,
    is_left_out: Callable[[Sequence[Row]], bool],
    more: Callable[[LayerRows], Sequence[TextColumn]] = no_columns,
) -> Iterator[Block]:
    """Yield a table of the whole network, and for each estimator one with a line a layer.

    Only ``layers`` are shown where they are given. An estimator ``is_left_out`` by its rows;
    ``more`` makes the columns that stand behind the figures of its layers.
    """
    yield methods_part(setting, of_network(setting.rows), figures)
    exact = {row["layer"]: row for row in setting.rows if is_reference(row)}
    for name, rows in by_estimator(setting.rows).items():
        lines = by_layer(rows, layers)
        if lines.keys() == {ALL_LAYERS} or is_left_out(rows):
            continue
        columns = _layer_columns(figures, lines.values(), lambda row: exact.get(row["layer"]))
        names = TextColumn("layer", list(lines), "left")
        yield Block(f"{name}, layer by layer", [names], [*columns, *more(lines)])


def _layer_columns(
    figures: Sequence[Figure[Row]], lines: Collection[Sequence[Row]], exact_of: ExactOf[Row]
) -> Iterator[TextColumn]:
    """Yield all figures of a single number of probes, and the essential ones of each of several.

    ``lines`` are the rows of one layer each. Every dial is treated as probes are.
    """
    dials = dict.fromkeys(dial_words(row) for rows in lines for row in rows)
    for figure in figures:
        if len(dials) > 1 and not figure.is_essential:
            continue
        for dial in dials:
            rows = [next((r for r in line if dial_words(r) == dial), None) for line in lines]
            heading = f"{figure.heading} {dial}" if len(dials) > 1 else figure.heading
            column = figure.column(rows, exact_of, heading)
            if any(column.cells):
                yield column
