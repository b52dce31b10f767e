"""Tables of gradients, errors and variances: the whole network first, then layer by layer."""

from collections.abc import Iterator, Sequence
from math import sqrt

from xconv_bench.report.rows import (
    Beside,
    Comparable,
    Row,
    by_estimator,
    by_layer,
    grouped,
    is_exact,
    is_reference,
    note,
    notes_of,
    number,
    of_network,
    settings_of,
)
from xconv_bench.report.tables.engine import (
    Figure,
    LayerRows,
    cell_words,
    figure_of,
    gradient_parts,
    in_brackets,
    meaning_of,
    ratio_to,
)
from xconv_bench.report.tables.terminal import Printed, TextColumn, aligned
from xconv_bench.report.variance_laws import (
    Laws,
    answers,
    deviation,
    law_of,
    laws_by_key,
    ratio_words,
    target_of,
)
from xconv_bench.report.words import ended, format_measured, format_ratio
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.results.schema.error import ERROR
from xconv_bench.results.schema.variance import VARIANCE
from xconv_bench.results.schema.variance_law import VARIANCE_LAW

_EXPONENT = VARIANCE_LAW["exponent"]
_REMARK = "*"


def error(rows: Sequence[Row], beside: Beside) -> Printed:
    """Describe errors of the weight gradients, with the verdict on bias where it is asked for.

    With several numbers of probes a layer has the error and what is saved for each of them, with
    a single one all figures.
    """
    settings = settings_of(rows, ERROR.key)
    figures = (*_ERRORS, *(_BIAS_TEST if beside.bias_test else ()))
    parts = list(gradient_parts(settings, figures, beside.layers, _is_left_out))
    legend = _false_alarms(rows) if beside.bias_test else ()
    return Printed(parts, notes_of(settings), legend)


def variance(rows: Sequence[Row], beside: Beside) -> Printed:
    """Describe variances and the laws fitted to them; at the end an answer for each estimator.

    A layer has the ratio of the estimator's variance to that of minibatches at each number of
    probes, its law, and the fewest probes that keep the target.
    """
    settings = settings_of(rows, VARIANCE.key)
    laws = laws_by_key(beside.laws)

    parts = gradient_parts(
        settings,
        _VARIANCES,
        beside.layers,
        is_left_out=lambda rows: is_reference(rows[0]),
        more=lambda lines: list(_law_columns(lines, laws)),
    )
    notes = [*notes_of(settings), *_law_notes(settings, laws, beside.layers)]
    return Printed(list(parts), notes, _legend(beside.laws), answers(rows, beside.laws))


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


_ERRORS = (
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


def _law_columns(lines: LayerRows, laws: Laws) -> Iterator[TextColumn]:
    found = [law_of(laws, rows[0]) for rows in lines.values()]
    exponents = ["" if law is None else _exponent(law) for law in found]
    if any(exponents):
        legend = (_EXPONENT.heading, meaning_of(_EXPONENT))
        yield TextColumn(_EXPONENT.heading, aligned(exponents, " ±"), legend=legend)
    targets = [target_of(law) for law in found if law is not None]
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


_VARIANCES = (
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
