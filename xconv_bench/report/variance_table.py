"""The rows of ``variance.csv`` as tables for people: the network, its layers, and the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

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
    settings_of,
)
from xconv_bench.report.summary import Row
from xconv_bench.report.text_table import (
    Column,
    aligned,
    open_console,
    print_columns,
    print_heading,
    print_legend,
    print_notes,
)
from xconv_bench.report.variance_figures import VARIANCE_FIGURES
from xconv_bench.report.variance_laws import Laws, answers, law_of, laws_by_key
from xconv_bench.results.columns import ALL_LAYERS, VARIANCE_KEY

if TYPE_CHECKING:
    from rich.console import Console

_EXPONENT = "exponent"
_REMARK = "*"
_EXPONENT_MEANING = "p of the law ratio ∝ rᵖ, ± its standard error: -1 for independent probes"


def print_variance_table(
    rows: Sequence[Row],
    laws: Sequence[Row],
    layers: Sequence[str] | None = None,
    file: IO[str] | None = None,
) -> None:
    """Print the variances in ``rows``, as ``Table.rows`` returns them, and the fitted ``laws``.

    For each setting the whole network, one line a configuration; then for each estimator one line
    a layer, of ``layers`` only where they are given: the ratio of the estimator's variance to that
    of minibatches at each number of probes, its law, and the fewest probes that keep the target.
    Below stand the messages, what each figure means, and at the very end a line for each estimator
    that says what it adds. ``file`` is standard output where None is given.
    """
    console = open_console(file)
    settings = settings_of(rows, VARIANCE_KEY)
    if not settings:
        console.print("Nothing was measured.")
        return
    by_key = laws_by_key(laws)
    for setting in settings:
        print_heading(console, setting.title, is_first=setting is settings[0])
        print_network(console, setting, VARIANCE_FIGURES)
        _print_layers(console, setting, by_key, layers)
    print_notes(console, [*notes_of(settings), *_law_notes(settings, by_key, layers)])
    print_legend(console, _legend(rows, laws))
    print_notes(console, answers(rows, laws))


def _print_layers(
    console: Console, setting: Setting, laws: Laws, layers: Sequence[str] | None
) -> None:
    exact = exact_rows(setting)
    for name, rows in by_estimator(setting.rows).items():
        lines = by_layer(rows, layers)
        if lines.keys() == {ALL_LAYERS} or is_reference(rows[0]):
            continue
        print_heading(console, f"{name}, layer by layer")
        columns = [
            *layer_columns(VARIANCE_FIGURES, lines.values(), exact),
            *_law_columns(lines, laws),
        ]
        print_columns(console, [Column("layer", list(lines), "left")], columns)


def _law_columns(lines: dict[str, list[Row]], laws: Laws) -> Iterator[Column]:
    found = [law_of(laws, rows[0]) for rows in lines.values()]
    exponents = ["" if law is None else _exponent(law) for law in found]
    if any(exponents):
        yield Column(_EXPONENT, aligned(exponents, " ±"))
    targets = [law["target_ratio"] for law in found if law is not None]
    smallest = ["" if law is None else _smallest(law) for law in found]
    if targets:
        yield Column(_enough(targets[0]), aligned(smallest, _REMARK))


def _exponent(law: Row) -> str:
    value, error = number(law, "exponent"), number(law, "exponent_se")
    if value is None:
        return ""
    return f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f}"


def _smallest(law: Row) -> str:
    words = str(law["smallest_probes"] or "?")
    return f"{words}{_REMARK}" if law["message"] else words


def _enough(target: object) -> str:
    return f"r for ≤ {target:g}×"


def _law_notes(
    settings: Sequence[Setting], laws: Laws, layers: Sequence[str] | None
) -> Iterator[str]:
    """What is to be said of the laws of layers; that of the network is said in the answer."""
    concerned: dict[str, list[str]] = {}
    for setting in settings:
        for layer, rows in by_layer(setting.rows, layers).items():
            for name, some in by_estimator(rows).items():
                law = law_of(laws, some[0])
                if law is not None and law["message"] and layer != ALL_LAYERS:
                    who = ": ".join(part for part in (setting.apart, name) if part)
                    concerned.setdefault(str(law["message"]), []).append(f"{who}, layer {layer}")
    for message, names in concerned.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"{names[0]}{more}: {message}"


def _legend(rows: Sequence[Row], laws: Sequence[Row]) -> Iterator[tuple[str, str]]:
    yield from meanings(VARIANCE_FIGURES, [row for row in rows if row["status"] == "ok"])
    if any(law["exponent"] is not None for law in laws):
        yield _EXPONENT, _EXPONENT_MEANING
    if any(law["message"] for law in laws):
        yield _REMARK, "something is to be said of this number: see above and below"
    for law in laws[:1]:
        target = law["target_ratio"]
        yield _enough(target), f"the fewest probes r that keep the ratio at {target:g} or below"
