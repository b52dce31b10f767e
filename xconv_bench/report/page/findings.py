"""The outcome of a table in sentences, one a setting."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from xconv_bench.report.page.cells import heading, writer
from xconv_bench.report.page.kinds import Kind, candidates, condensed, name_of, shown_figures
from xconv_bench.report.settings import Setting, is_reference, number
from xconv_bench.report.summary import Row
from xconv_bench.report.units import format_ratio
from xconv_bench.report.words import status_words
from xconv_bench.results.columns import (
    DOUBTFUL,
    MEASURED_STATUSES,
    MEASURES,
    larger_is_better,
)

_COMPARED_ENDS = ("_bytes", "_seconds", "max_batch_size")
ROUNDING = 1e-6
"""A relative error below this is none."""


@dataclass(frozen=True)
class Finding:
    """What was found in a setting, which ``title`` names."""

    title: str
    text: str


def findings(kind: Kind, rows: Sequence[Row], most: int) -> tuple[list[Finding], int]:
    """The outcomes of the first ``most`` settings, and how many settings there are."""
    if not kind.has_answer:
        return [], 0
    settings = condensed(kind, rows)
    return [Finding(each.title, outcome_of(kind, each)) for each in settings[:most]], len(settings)


def outcome_of(kind: Kind, setting: Setting) -> str:
    """The best method of a setting with its main figures, in a sentence."""
    figures = shown_figures(kind, setting.rows)
    if not figures:
        return _failures(setting.rows) or "nothing was measured"
    best = figures[0]
    rows = candidates(kind, setting.rows, best)
    exact = next((row for row in setting.rows if is_reference(row)), None)
    if not rows:
        return _alone(best, setting.rows, exact)
    extreme, choose = ("largest", max) if larger_is_better(best) else ("smallest", min)
    row = choose(rows, key=lambda each: number(each, best) or 0)
    words = figure_words(best, row, exact, setting.rows)
    name = heading(best).removeprefix(f"{extreme} ")
    text = f"{extreme} {name} {words} with {name_of(row)}"
    beside = exact is not None and _plain(best, exact, setting.rows)
    if beside and (best in MEASURES or best.endswith(_COMPARED_ENDS)):
        text = f"{text}, where exact has {beside}"
    others = [
        f"{heading(name)} {figure_words(name, row, exact, setting.rows)}"
        for name in figures[1:]
        if row.get(name) is not None
    ]
    return ". ".join(filter(None, ["; ".join([text, *others]), _failures(setting.rows)]))


def figure_words(column: str, row: Row, exact: Row | None, rows: Sequence[Row]) -> str:
    """``338 MiB (0.79×)``: a figure, and its ratio to that of exact."""
    value = number(row, column)
    if column.endswith("_error") and value is not None and abs(value) < ROUNDING:
        return "that of rounding" if value else "0"
    text = _plain(column, row, rows)
    ratio = _ratio(column, row, exact)
    return text if ratio is None else f"{text} ({format_ratio(ratio)})"


def statuses(rows: Sequence[Row]) -> str:
    """``18 ok, 1 out of memory``."""
    counts = Counter(str(row["status"]) for row in rows)
    return ", ".join(f"{count:,} {status_words(status)}" for status, count in counts.items())


def _ratio(column: str, row: Row, exact: Row | None) -> float | None:
    """That of the table where it has one, such as a median over rounds."""
    if not column.endswith(_COMPARED_ENDS) or is_reference(row) or exact is None:
        return None
    own = "_ratio".join(column.rsplit(f"_{column.rsplit('_', 1)[-1]}", 1))
    if row.get(own) is not None:
        return number(row, own)
    value, whole = number(row, column), number(exact, column)
    return value / whole if value is not None and whole else None


def _plain(column: str, row: Row, rows: Sequence[Row]) -> str:
    """Without the bounds of an interval, which a sentence has no room for."""
    bounds = dict.fromkeys((f"{column}_low", f"{column}_high"))
    return writer(column, rows)({**row, **bounds})


def _alone(best: str, rows: Sequence[Row], exact: Row | None) -> str:
    text = _plain(best, exact, rows) if exact else ""
    said = f"{heading(best)} {text} with exact" if text else ""
    return ". ".join(filter(None, [said, _failures(rows)])) or "nothing was measured"


def _failures(rows: Sequence[Row]) -> str:
    failed = [row for row in rows if row["status"] not in MEASURED_STATUSES]
    doubtful = [row for row in rows if row["status"] == DOUBTFUL]
    said = [f"Not measured: {statuses(failed)} of {len(rows)}"] if failed else []
    said += [f"Simulated figures: {statuses(doubtful)} of {len(rows)}"] if doubtful else []
    return ". ".join(said)
