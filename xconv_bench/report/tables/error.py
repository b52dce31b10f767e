"""The rows of ``error.csv`` as tables for people: the whole network first, then layer by layer."""

from collections.abc import Iterator, Sequence
from typing import IO

from xconv_bench.report.settings import (
    is_exact,
    is_reference,
    notes_of,
    number,
    of_network,
    settings_of,
)
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.engine import Figure, cell_words, figure_of, gradient_parts
from xconv_bench.report.tables.terminal import Printed, print_tables
from xconv_bench.report.units import format_ratio
from xconv_bench.report.words import ended
from xconv_bench.results.schema.error import ERROR


def print_error_table(
    rows: Sequence[Row],
    layers: Sequence[str] | None = None,
    bias_test: bool = False,
    file: IO[str] | None = None,
) -> None:
    """Print the errors of the weight gradients in ``rows``.

    For each setting the whole network, one line a configuration; then for each estimator one
    line a layer, of ``layers`` only where they are given: with several numbers of probes the error
    and what is saved for each of them, with a single one all figures. ``bias_test`` adds the
    verdict. Below stand the messages of the rows and what each figure means.
    """
    settings = settings_of(rows, ERROR.key)
    figures = (*_FIGURES, *(_BIAS_TEST if bias_test else ()))
    parts = [
        part
        for setting in settings
        for part in gradient_parts(setting, figures, layers, _is_left_out)
    ]
    legend = _false_alarms(rows) if bias_test else ()
    print_tables(Printed(parts, notes_of(settings), legend), file)


def _is_left_out(rows: Sequence[Row]) -> bool:
    return all(is_reference(row) and is_exact(row) for row in rows)


def _false_alarms(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    rates = [number(row, "bias_false_alarm_rate") for row in of_network(rows)]
    rate = next((rate for rate in rates if rate is not None), None)
    if rate is not None:
        yield (
            "false alarms",
            f"a network without bias has a layer that is called biased with probability {rate:g}, "
            "shared out among its layers",
        )


def _error(row: Row, _: Row | None) -> str:
    if row["status"] != "ok":
        return ended(row)
    return "exact" if is_exact(row) else cell_words(ERROR["relative_error"], row, None)


def _estimated(name: str) -> Figure[Row]:
    """Return the figure of a column that says nothing of what is exact."""
    column = ERROR[name]
    return figure_of(
        column, write=lambda row, _: "" if is_exact(row) else cell_words(column, row, None)
    )


def _bias(row: Row, _: Row | None) -> str:
    bias, noise = number(row, "relative_bias"), number(row, "relative_bias_noise")
    return "" if bias is None or not noise or is_exact(row) else format_ratio(bias / noise)


_FIGURES = (
    figure_of(ERROR["relative_error"], write=_error, is_essential=True),
    figure_of(ERROR["floor_error"], is_essential=True),
    figure_of(ERROR["saved_bytes"], is_essential=True),
    _estimated("cosine"),
    _estimated("relative_spread"),
    Figure(
        "bias/noise",
        _bias,
        "how far the mean estimate lies from the exact gradient, over how far chance alone would "
        "put it: about 1 without bias",
    ),
)
"""In the order in which they are shown."""
_BIAS_TEST = (
    figure_of(ERROR["bias_verdict"], justify="right", is_essential=True),
    _estimated("bias_p_value"),
)
