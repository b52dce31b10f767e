"""The rows of ``variance.csv`` as tables for people: the network, its layers, and the answer."""

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import IO

from xconv_bench.report.settings import (
    Comparable,
    by_estimator,
    by_layer,
    is_reference,
    note,
    notes_of,
    number,
    settings_of,
)
from xconv_bench.report.summary import Row, grouped
from xconv_bench.report.tables.engine import (
    Figure,
    LayerRows,
    figure_of,
    gradient_parts,
    in_brackets,
    meaning_of,
    ratio_to,
)
from xconv_bench.report.tables.terminal import Printed, TextColumn, aligned, print_tables
from xconv_bench.report.units import format_measured, format_ratio
from xconv_bench.report.variance_laws import (
    Laws,
    answers,
    deviation,
    law_of,
    laws_by_key,
    ratio_words,
)
from xconv_bench.report.words import ended
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.results.schema.variance import VARIANCE
from xconv_bench.results.schema.variance_law import VARIANCE_LAW

_EXPONENT = VARIANCE_LAW["exponent"]
_REMARK = "*"


def print_variance_table(
    rows: Sequence[Row],
    laws: Sequence[Row],
    layers: Sequence[str] | None = None,
    file: IO[str] | None = None,
) -> None:
    """Print the variances in ``rows``, and the fitted ``laws``.

    For each setting the whole network, one line a configuration; then for each estimator one line
    a layer, of ``layers`` only where they are given: the ratio of the estimator's variance to that
    of minibatches at each number of probes, its law, and the fewest probes that keep the target.
    Below stand the messages, what each figure means, and at the very end a line for each estimator
    that says what it adds.
    """
    settings = settings_of(rows, VARIANCE.key)
    by_key = laws_by_key(laws)

    def law_columns(lines: LayerRows) -> list[TextColumn]:
        return list(_law_columns(lines, by_key))

    parts = [
        part
        for setting in settings
        for part in gradient_parts(
            setting, _FIGURES, layers, lambda some: is_reference(some[0]), law_columns
        )
    ]
    notes = [*notes_of(settings), *_law_notes(settings, by_key, layers)]
    print_tables(Printed(parts, notes, _legend(laws), answers(rows, laws)), file)


def _law_columns(lines: LayerRows, laws: Laws) -> Iterator[TextColumn]:
    found = [law_of(laws, rows[0]) for rows in lines.values()]
    exponents = ["" if law is None else _exponent(law) for law in found]
    if any(exponents):
        legend = (_EXPONENT.heading, meaning_of(_EXPONENT))
        yield TextColumn(_EXPONENT.heading, aligned(exponents, " ±"), legend=legend)
    targets = [law["target_ratio"] for law in found if law is not None]
    smallest = ["" if law is None else _smallest(law) for law in found]
    for target in targets[:1]:
        heading = f"r for ≤ {target:g}×"
        meaning = f"the fewest probes r that keep the ratio at {target:g} or below"
        yield TextColumn(heading, aligned(smallest, _REMARK), legend=(heading, meaning))


def _exponent(law: Row) -> str:
    value, error = number(law, "exponent"), number(law, "exponent_se")
    if value is None:
        return ""
    return f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f}"


def _smallest(law: Row) -> str:
    words = str(law["smallest_probes"] or "?")
    return f"{words}{_REMARK}" if law["message"] else words


def _law_notes(
    settings: Sequence[Comparable], laws: Laws, layers: Sequence[str] | None
) -> Iterator[str]:
    """Yield what is to be said of the laws of layers; the answer speaks of the network's."""
    concerned = [
        (f"{setting.named(name)}, layer {layer}", str(law["message"]))
        for setting in settings
        for layer, rows in by_layer(setting.rows, layers).items()
        for name, some in by_estimator(rows).items()
        if (law := law_of(laws, some[0])) and law["message"] and layer != ALL_LAYERS
    ]
    for message, pairs in grouped(concerned, lambda pair: pair[1]).items():
        yield note([who for who, _ in pairs], message)


def _legend(laws: Sequence[Row]) -> Iterator[tuple[str, str]]:
    if any(law["message"] for law in laws):
        yield _REMARK, "something is to be said of this number: see above and below"


def _ratio(row: Row, _: Row | None) -> str:
    if row["status"] != "ok":
        return ended(row)
    return "" if is_reference(row) else ratio_words(row)


def _deviation(row: Row, exact: Row | None) -> str:
    found = deviation(row)
    if found is None:
        return ""
    whole = None if exact is None else deviation(exact)
    return format_measured(*found) + in_brackets(ratio_to(found.value, whole and whole.value))


def _consistency(row: Row, _: Row | None) -> str:
    parts = [number(row, f"{name}_variance") for name in ("total", "sampling", "estimator")]
    total, sampling, estimator = (0.0 if part is None else part for part in parts)
    both = sampling + estimator
    if None in parts or not both or is_reference(row):
        return ""
    return format_ratio(total / both)


def _rounding(row: Row, _: Row | None) -> str:
    error, rounding = number(row, "squared_error"), number(row, "rounding_squared_error")
    if error is None or not rounding or is_reference(row):
        return ""
    return format_ratio(sqrt(error / rounding))


_FIGURES = (
    figure_of(
        VARIANCE["variance_ratio"], heading="ratio", write=_ratio, mark="× (", is_essential=True
    ),
    Figure(
        "deviation",
        _deviation,
        "standard deviation of the gradient over minibatches and seeds, √ of the variance summed "
        "over the weights; ± its standard error",
        mark=" ±",
    ),
    Figure(
        "total/sum",
        _consistency,
        "variance of the estimates, measured by itself, over the sum of sampling and estimator "
        "variance: about 1, or the estimator is biased",
        mark="×",
    ),
    Figure(
        "error/rounding",
        _rounding,
        "distance from the gradient in float64, root mean square, over that of torch's own layer "
        "in the same dtype: near 1 the estimator's error is no larger than rounding",
        mark="×",
        is_essential=True,
    ),
    figure_of(VARIANCE["saved_bytes"]),
)
"""In the order in which they are shown."""
