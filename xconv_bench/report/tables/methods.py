"""Tables with a line for each method: memory, times, largest batches, the frontier, errors."""

from collections.abc import Iterator, Mapping, Sequence

from xconv_bench.amounts import format_bytes
from xconv_bench.naming import method_words, models_apart
from xconv_bench.report.disturbed import disturbances, undisturbed
from xconv_bench.report.published import published_max_batch
from xconv_bench.report.rows import (
    Beside,
    Row,
    Summary,
    compared_columns,
    grouped,
    is_reference,
    label,
    notes_of,
    number,
    of_network,
    outcome,
    settings_of,
    summarize,
    title,
    varying,
)
from xconv_bench.report.tables.engine import (
    Figure,
    by_setting,
    cell_words,
    columns_of,
    error_figure,
    figure_of,
    in_brackets,
    ratio_to,
)
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn
from xconv_bench.report.words import (
    HEADINGS,
    common,
    differing,
    ended,
    format_error,
    format_ratio,
    formatter,
    phrases,
    status_words,
)
from xconv_bench.results import schema
from xconv_bench.results.schema import Cell
from xconv_bench.results.schema.age import AGE
from xconv_bench.results.schema.column import Unit
from xconv_bench.results.schema.frontier import FRONTIER
from xconv_bench.results.schema.max_batch import MAX_BATCH
from xconv_bench.results.schema.runtime import RUNTIME
from xconv_bench.results.schema.shared import PEAKS

_LIMITS = {
    "memory": "memory",
    "elements": "2³¹ elements of a tensor",
    "network": "the network",
    "max": "--max",
}
_ERROR = AGE["average_gradient_error"]
_FLOOR = AGE["exact_average_gradient_error"]


def memory(rows: Sequence[Row], beside: Beside) -> Printed:
    """Describe one line for each configuration, with medians over repeats and seeds."""
    summaries = summarize(rows)
    if not summaries:
        return Printed([])
    figures = [
        _median(column, summaries) for column in compared_columns() if _is_told(column, summaries)
    ]
    methods = [label(summary) for summary in summaries]
    identity = [*_identity([s.settings for s in summaries], methods), *_state(summaries)]
    part = Block(title(summaries), identity, columns_of(figures, summaries))
    return Printed([part], list(_messages(summaries)))


def runtime(rows: Sequence[Row], beside: Beside) -> Printed:
    """Describe a line for each shape and method; below, for each method, where it wins."""
    if not rows:
        return Printed([])
    identity = list(_identity(rows, [method_words(row) for row in rows]))
    heading = phrases(common(rows, (*HEADINGS, "rounds")))
    part = Block(heading, identity, columns_of(_TIMES, rows))
    notes = notes_of(settings_of(rows, RUNTIME.key))
    return Printed([part], notes, [_RATIO_MEANING], list(wins(rows)))


def is_win(row: Row) -> bool:
    """Return whether a step is quicker than the exact one by the whole interval of its ratio."""
    high = number(row, "step_ratio_high")
    return high is not None and high < 1


def wins(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line for each method with its knobs: in how many shapes it wins, and in which."""
    measured = [row for row in rows if number(row, "step_ratio") is not None]
    names = [name for name in HEADINGS if len({row[name] for row in rows}) > 1]
    for method, some in grouped(measured, method_words).items():
        won = [row for row in some if is_win(row)]
        where = "; ".join(phrases({name: row[name] for name in names}) for row in won)
        count = f"{method} is quicker than exact in {len(won)} of {len(some)} shapes"
        yield f"{count}: {where}" if where else count


def _identity(rows: Sequence[Mapping[str, Cell]], methods: Sequence[str]) -> Iterator[TextColumn]:
    """Yield what tells one line from another: what describes a setting and differs, the method."""
    models = models_apart(str(row["model"]) for row in rows)
    for name in differing(rows):
        column = RUNTIME[name]
        cells = ["" if row[name] is None else str(row[name]) for row in rows]
        cells = [models.get(cell, cell) for cell in cells] if name == "model" else cells
        yield TextColumn(column.heading, cells, "right" if column.is_number else "left")
    yield TextColumn("method", list(methods), "left")


def _state(summaries: Sequence[Summary]) -> Iterator[TextColumn]:
    """Yield how many rows each line stands for, and how they ended, where not all are ok."""
    counts = [summary.statuses.total() for summary in summaries]
    if max(counts) > 1:
        yield TextColumn("n", [str(count) for count in counts])
    outcomes = [outcome(summary) for summary in summaries]
    if set(outcomes) != {"ok"}:
        yield TextColumn("status", outcomes, "left")


def _is_told(column: schema.Column, summaries: Sequence[Summary]) -> bool:
    """Return whether a table has this column: a floor of zero says nothing."""
    found = [s.figures[column.name] for s in summaries if column.name in s.figures]
    return any(found) or bool(found and column.better)


def _median(column: schema.Column, summaries: Sequence[Summary]) -> Figure[Summary]:
    """Return the figure of a column, all lines in the unit of the largest."""
    found = [s.figures[column.name] for s in summaries if column.name in s.figures]
    write = format_error if column.unit is Unit.RELATIVE else formatter(column, max(found))

    def words(summary: Summary, _: Summary | None) -> str:
        value = summary.figures.get(column.name)
        return "" if value is None else write(value) + in_brackets(summary.ratios.get(column.name))

    return Figure(column.heading, words, column.meaning)


def _messages(summaries: Sequence[Summary]) -> Iterator[str]:
    """Yield each message once, with the configurations that it is about.

    The remark on a busy machine is apart from the others of a row, and last.
    """
    apart = varying(summaries)
    lines = {label(summary, apart): summary.messages for summary in summaries}
    told = dict.fromkeys(
        (status, undisturbed(text), line) for line, said in lines.items() for status, text in said
    )
    for (status, text), some in grouped(told, lambda each: each[:2]).items():
        how = [] if status == "ok" else [status_words(status)]
        if how or text:
            who = some[0][2] if len(some) == 1 else f"{len(some)} of {len(summaries)} lines"
            yield ": ".join([who, *how, *filter(None, [text])])
    yield from disturbances({line: [text for _, text in said] for line, said in lines.items()})


def _step_ratio(row: Row, _: Row | None) -> str:
    ratio = number(row, "step_ratio")
    low, high = number(row, "step_ratio_low"), number(row, "step_ratio_high")
    if ratio is None or is_reference(row):
        return ""
    bounds = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return format_ratio(ratio) + bounds


def _largest(row: Row, exact: Row | None) -> str:
    size = number(row, "max_batch_size")
    if size is None:
        return ended(row)
    whole = None if exact is None else number(exact, "max_batch_size")
    doubt = "" if row["status"] == "ok" else f", {ended(row)}"
    return f"{size:.0f}{in_brackets(ratio_to(size, whole))}{doubt}"


def _first_peak(row: Row, _: Row | None) -> str:
    peaks = (number(row, column) for column in PEAKS if column in row)
    return next((format_bytes(peak) for peak in peaks if peak is not None), "")


def _by_peak(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -(number(row, "peak_bytes") or 0))


def _average_error(row: Row, exact: Row | None) -> str:
    error = number(row, _ERROR.name)
    if row["status"] != "ok" or error is None:
        return ended(row)
    whole = None if exact is None else number(exact, _ERROR.name)
    return cell_words(_ERROR, row, exact) + in_brackets(ratio_to(error, whole))


def _over_floor(row: Row, _: Row | None) -> str:
    error, floor = number(row, _ERROR.name), number(row, _FLOOR.name)
    return "" if error is None or not floor else format_ratio(error / floor)


_RATIO_MEANING = (
    "(×)",
    "the median ratio to exact in the same round, with its 95 % interval for the step",
)
_TIMES = (
    figure_of(RUNTIME["forward_seconds"], meaning=RUNTIME["forward_seconds"].meaning),
    figure_of(RUNTIME["backward_seconds"], meaning=RUNTIME["backward_seconds"].meaning),
    figure_of(RUNTIME["step_seconds"], is_status=True, meaning=RUNTIME["step_seconds"].meaning),
    Figure("step ratio", _step_ratio, mark="× ("),
)
_LARGEST_BATCHES: tuple[Figure[Row], ...] = (
    figure_of(MAX_BATCH["max_batch_size"], write=_largest),
    Figure("peak", _first_peak, "the most memory that this step takes"),
    Figure(
        "limited by",
        lambda row, _: _LIMITS.get(str(row["limited_by"]), ""),
        "why it is no larger",
        justify="left",
    ),
    figure_of(MAX_BATCH["trained_steps"]),
    Figure(
        "paper",
        lambda row, _: str(published_max_batch(row) or ""),
        "the figure of arXiv 2106.06998, whose ReLUs keep a byte an element and not a bit",
    ),
)
_COSTS = (
    figure_of(FRONTIER["peak_bytes"], is_status=True),
    error_figure(FRONTIER["relative_error"]),
    figure_of(FRONTIER["floor_error"]),
    figure_of(FRONTIER["step_seconds"]),
    figure_of(FRONTIER["beaten_in_all_by"], heading="beaten by"),
)
_AVERAGE_ERRORS: tuple[Figure[Row], ...] = (
    Figure(
        "batch",
        lambda row, _: "" if row["memory_budget_bytes"] is None else str(row["batch_size"]),
    ),
    figure_of(AGE["minibatch_count"], meaning=""),
    figure_of(_ERROR, write=_average_error),
    figure_of(_FLOOR),
    Figure(
        "over floor",
        _over_floor,
        "error over floor: 1 where the estimator adds nothing to that noise",
    ),
)

max_batch = by_setting(MAX_BATCH, _LARGEST_BATCHES)
"""The largest batches that fit, and their ratios to exact's."""
frontier = by_setting(FRONTIER, _COSTS, _by_peak)
"""Costs of a step, those with the smallest peak last."""
average_error = by_setting(AGE, _AVERAGE_ERRORS, of_network)
"""Errors of the whole network; where batches were chosen for the memory, each has its own."""
