"""Describe the picture of ``runtime.csv``: times relative to exact, shape by shape."""

from collections.abc import Iterator, Sequence

from xconv_bench.naming import method_words
from xconv_bench.report.canvas.axes import named
from xconv_bench.report.canvas.curves import Curves, Field, Panel
from xconv_bench.report.pictures.lines import Named
from xconv_bench.report.settings import Beside, is_reference, number
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.methods import is_win
from xconv_bench.report.words import ended, format_ratio

_FIELD_INCHES = 0.3
_FRAME_INCHES = 1.1
_NOTES = (
    "time of a step over that of the exact layer in the same round, median",
    "green is quicker than exact",
    "in bold where the whole 95 % interval is below 1",
)


def pictures(rows: Sequence[Row], beside: Beside) -> Iterator[Named]:
    """Describe a panel a method: a line for each model and batch, a column for each image size."""
    compared = [row for row in rows if not is_reference(row)]
    if not any(number(row, "step_ratio") for row in compared):
        return
    sizes = sorted({_size(row) for row in compared})
    lines = list(dict.fromkeys(_line(row) for row in compared))
    panels: dict[str, list[Field]] = {}
    for row in compared:
        place = sizes.index(_size(row)), lines.index(_line(row))
        panels.setdefault(method_words(row), []).append(_field(row, place))
    x, y = named("pixels a side", list(map(str, sizes))), named("", lines, is_downwards=True)
    yield (
        "runtime",
        Curves(
            "Time of a step relative to exact",
            x,
            y,
            [Panel(some, name) for name, some in panels.items()],
            [],
            _NOTES,
            panel_inches=_FIELD_INCHES * len(lines) + _FRAME_INCHES,
        ),
    )


def _field(row: Row, place: tuple[int, int]) -> Field:
    ratio = number(row, "step_ratio")
    if ratio is None:
        return Field(place, ended(row))
    return Field(place, format_ratio(ratio), ratio, is_win(row))


def _size(row: Row) -> int:
    return int(number(row, "image_size") or 0)


def _line(row: Row) -> str:
    return f"{row['model']}, batch {row['batch_size']}"
