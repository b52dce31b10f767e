"""Describe the pictures of ``age.csv``: the average gradient error against probes.

They are figures 4 to 6 of the paper.
"""

from collections.abc import Iterator, Sequence

from xconv_bench.report.canvas.axes import counted, logarithmic
from xconv_bench.report.canvas.curves import Curves, Level, Panel
from xconv_bench.report.pictures import lines as shown
from xconv_bench.report.settings import (
    Beside,
    Comparable,
    by_estimator,
    failures_of,
    is_reference,
    number,
    of_network,
    settings_of,
)
from xconv_bench.report.summary import Row
from xconv_bench.results.schema.age import AGE

_ERROR = "average_gradient_error"
_ROOM_FOR_WORDS = 0.8
_NOTES = (
    "error: mean over the minibatches of the squared distance of their gradient from the exact "
    "gradient of all samples",
    "dashed: exact gradients of minibatches",
    shown.BARS,
)


def pictures(rows: Sequence[Row], beside: Beside) -> Iterator[shown.Named]:
    """Describe the network's error by estimator; that of exact gradients is a dashed line."""
    for setting in settings_of(rows, AGE.key):
        yield f"age{setting.suffix}", average_error(setting)


def average_error(setting: Comparable) -> Curves | None:
    """Describe a line for each estimator; None where none has an error."""
    rows = of_network(setting.rows)
    batches_differ = len({row["batch_size"] for row in rows}) > 1

    def batch(row: Row) -> str:
        return f"batch {row['batch_size']}" if batches_differ else ""

    make = shown.point_of("probes", _ERROR, words=batch, spread=AGE[_ERROR].spread)
    lines = shown.lines_of(by_estimator(rows), make)
    points = shown.points_in([lines])
    errors = shown.heights(points)
    if not errors:
        return None
    exact = [row for row in rows if is_reference(row)]
    # With equal batches any row knows the error of exact gradients.
    known = (
        exact if exact or batches_differ else [{**r, _ERROR: r[f"exact_{_ERROR}"]} for r in rows]
    )
    floors = [floor for row in known if (floor := number(row, _ERROR) or 0.0) > 0][:1]
    name = ", ".join(filter(None, ["exact", *map(batch, exact[:1])]))
    looks = shown.looks_of(rows)
    notes = shown.on_the_edge(points, "points on the lower edge: no error")
    if any(row[_ERROR] == 0 for row in exact):
        notes.append("exact: no error, a minibatch holds all samples")
    return Curves(
        f"Average gradient error: {setting.title}",
        counted("probes r", (point.x for point in points)),
        logarithmic(
            "average gradient error", [*errors, *floors, *(f * _ROOM_FOR_WORDS for f in floors)]
        ),
        [Panel([*(Level(f, name) for f in floors), *shown.marks(lines, looks, has_words=True)])],
        [looks[name] for name in lines],
        [*_NOTES, *notes, *failures_of(setting)],
        panel_inches=3.9,
    )
