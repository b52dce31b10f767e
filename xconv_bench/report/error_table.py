"""The rows of ``error.csv`` as tables for people: the whole network first, then layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

from xconv_bench.report.error_figures import ERROR_FIGURES, ErrorFigure, is_exact
from xconv_bench.report.gradient_figures import (
    exact_rows,
    layer_columns,
    meanings,
    print_network,
)
from xconv_bench.report.notes import notes_of
from xconv_bench.report.settings import (
    Setting,
    by_estimator,
    by_layer,
    is_reference,
    number,
    of_network,
    settings_of,
)
from xconv_bench.report.summary import Row
from xconv_bench.report.text_table import (
    Column,
    open_console,
    print_columns,
    print_heading,
    print_legend,
    print_notes,
)
from xconv_bench.results.columns import ALL_LAYERS, ERROR_KEY

if TYPE_CHECKING:
    from rich.console import Console


def print_error_table(
    rows: Sequence[Row],
    layers: Sequence[str] | None = None,
    bias_test: bool = False,
    file: IO[str] | None = None,
) -> None:
    """Print the errors of the weight gradients in ``rows``, as ``Table.rows`` returns them.

    For each setting the whole network, one line a configuration; then for each estimator one
    line a layer, of ``layers`` only where they are given: with several numbers of probes the error
    and what is saved for each of them, with a single one all figures. ``bias_test`` adds the
    verdict. Below stand the messages of the rows and what each figure means. ``file`` is standard
    output where None is given.
    """
    console = open_console(file)
    settings = settings_of(rows, ERROR_KEY)
    if not settings:
        console.print("Nothing was measured.")
        return
    figures = [figure for figure in ERROR_FIGURES if bias_test or not figure.is_of_bias_test]
    for setting in settings:
        print_heading(console, setting.title, is_first=setting is settings[0])
        print_network(console, setting, figures)
        _print_layers(console, setting, figures, layers)
    print_notes(console, notes_of(settings))
    print_legend(console, _legend(figures, rows))


def _print_layers(
    console: Console,
    setting: Setting,
    figures: Sequence[ErrorFigure],
    layers: Sequence[str] | None,
) -> None:
    exact = exact_rows(setting)
    for name, rows in by_estimator(setting.rows).items():
        lines = by_layer(rows, layers)
        if lines.keys() == {ALL_LAYERS} or all(is_reference(r) and is_exact(r) for r in rows):
            continue
        print_heading(console, f"{name}, layer by layer")
        columns = list(layer_columns(figures, lines.values(), exact))
        print_columns(console, [Column("layer", list(lines), "left")], columns)


def _legend(figures: Sequence[ErrorFigure], rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    yield from meanings(figures, rows)
    if any(figure.is_of_bias_test for figure in figures):
        yield from _false_alarms(rows)


def _false_alarms(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    rates = [number(row, "bias_false_alarm_rate") for row in of_network(rows)]
    rate = next((rate for rate in rates if rate is not None), None)
    if rate is not None:
        yield (
            "false alarms",
            f"a network without bias has a layer that is called biased with probability {rate:g}, "
            "shared out among its layers",
        )
