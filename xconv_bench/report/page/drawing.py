"""The pictures of runs, as many as a reader looks at: within a page, or as files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from xconv_bench import interrupts
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.paths import is_folder, is_there
from xconv_bench.report.canvas import draw, kept_as
from xconv_bench.report.page.comparison import Comparison, compare
from xconv_bench.report.page.figures import condensed, first_methods, outcome_of
from xconv_bench.report.pictures import plot, ratios
from xconv_bench.report.rows import Beside, Comparable, Row, settings_of, summarize
from xconv_bench.report.variance_laws import BATCHES_TOGETHER
from xconv_bench.results.recorded import RecordedRun
from xconv_bench.results.schema import TABLES, Schema

MOST_EMBEDDED = 3
"""Most settings of a table, run by run, of which a page shows pictures."""
MOST_FILES = 50
"""Most settings of a table, run by run, of which pictures are written."""
MOST_DRAWN_CHANGES = 16
"""Figures of the comparison in its picture."""
_MOST_BARS = 40
_MOST_LINES = 24
_MOST_METHODS = 24
_ONE_PICTURE = ("memory", "runtime")
"""Tables whose settings are all in one picture."""
_PARTS = {
    "error": "error against probes",
    "error_bytes": "error against what is saved",
    "frontier_error": "error against peak memory",
    "frontier_time": "time against peak memory",
    "variance_ratio": "estimator's variance over that of minibatches",
    "variance_rounding": "error at half precision beside that of rounding",
}


@dataclass(frozen=True)
class Embedded:
    """A picture as PNG; ``alt`` says in words what is to be seen."""

    png: bytes
    caption: str
    alt: str


@dataclass(frozen=True)
class Gallery:
    """The pictures of a table of a run, and remarks on what they do not show."""

    run: str
    pictures: list[Embedded]
    remarks: list[str]


def gallery_of(kind: Schema, run: RecordedRun) -> Gallery:
    """Return the pictures of the first settings of a table, and sentences on what is not shown."""
    rows = run.tables[kind.name].rows
    groups = _groups(kind, rows)
    found: list[Embedded] = []
    remarks = _remarks(kind, groups, rows, MOST_EMBEDDED)
    for group in groups[:MOST_EMBEDDED]:
        with TemporaryDirectory() as folder, kept_as("png"):
            paths, problems = _drawn(kind, group, _beside(run), Path(folder))
            remarks += problems
            found += [Embedded(p.read_bytes(), *_words(kind, group, p)) for p in paths]
    return Gallery(run.name, found, remarks)


def embedded_comparison(comparison: Comparison) -> bytes | None:
    """Return the picture of the largest changes as PNG; None where none has a ratio."""
    with TemporaryDirectory() as folder, kept_as("png"):
        paths = _draw_comparison(comparison, Path(folder))
        return paths[0].read_bytes() if paths else None


def write_all_pictures(
    runs: Sequence[RecordedRun], output: Path | None, kind: str
) -> tuple[list[Path], list[str]]:
    """Write all pictures as ``kind`` (png, svg or pdf); return their paths, and what is not shown.

    They lie in ``plots`` of each run, or in the folder ``output``, with several runs in a folder
    of each run below it; the picture of the comparison in the first, or in ``output``. Raises
    UsageError where ``output`` is a file, BenchError where nothing can be drawn or written.
    """
    if output is not None and is_there(output) and not is_folder(output):
        raise UsageError(f"--output {output} is a file: pictures need a folder")
    paths: list[Path] = []
    remarks: list[str] = []
    with kept_as(kind):
        for run in runs:
            folder = output or run.plots
            if output is not None and len(runs) > 1:
                folder = output / run.name
            for name in run.tables:
                some, said = _written(TABLES[name], run, folder)
                paths += some
                remarks += [f"{run.name}, {name}: {line}" for line in said]
        if len(runs) > 1:
            paths += _draw_comparison(compare(runs), output or runs[0].plots)
    if not paths:
        raise BenchError("there is nothing to draw: no table holds a figure that was measured")
    return paths, remarks


def _written(kind: Schema, run: RecordedRun, folder: Path) -> tuple[list[Path], list[str]]:
    rows = run.tables[kind.name].rows
    groups = _groups(kind, rows)
    most = 1 if kind.name in _ONE_PICTURE else MOST_FILES
    some = [row for group in groups[:most] for row in group]
    paths, problems = _drawn(kind, some, _beside(run), folder)
    return paths, [*_remarks(kind, groups, rows, most), *problems]


def _beside(run: RecordedRun) -> Beside:
    table = run.tables.get("variance_law")
    return Beside(list(table.rows) if table else [], run.path / "pictures")


def _draw_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    changes = [
        ratios.Changed(
            f"{change.table}: {change.figure} of {change.method}, {change.where}",
            change.colour,
            change.ratios[1:],
        )
        for change in comparison.changes
        if change.size > 0 and any(ratio is not None for ratio in change.ratios)
    ]
    described = ratios.comparison(changes[:MOST_DRAWN_CHANGES], comparison.runs)
    return draw(described, folder)


def _drawn(
    kind: Schema, rows: Sequence[Row], beside: Beside, folder: Path
) -> tuple[list[Path], list[str]]:
    try:
        with warnings.catch_warnings(action="ignore"):  # figures without a place on an axis
            return plot(kind.name, rows, folder, beside), []
    except BenchError:
        raise
    except Exception as error:  # odd figures must not take the rest of the report with them
        interrupts.check()  # it may be the cause
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return [], [f"A picture could not be drawn ({reason})."]


def _groups(kind: Schema, rows: Sequence[Row]) -> list[list[Row]]:
    """Return rows drawn together, with no more methods than can be told apart."""
    if kind.name == "variance_law":
        return []
    if kind.name == "memory":
        return list(_packed(rows, kind.setting_key, _bars, _MOST_BARS))
    if kind.name == "runtime":
        groups = _packed(rows, ("model", "batch_size", "dtype", "device"), lambda _: 1, _MOST_LINES)
    else:
        key = BATCHES_TOGETHER if kind.name == "variance" else kind.setting_key
        groups = (setting.rows for setting in settings_of(rows, key))
    return [first_methods(group, _MOST_METHODS) for group in groups]


def _packed(
    rows: Sequence[Row], key: Sequence[str], size: Callable[[Comparable], int], most: int
) -> Iterator[list[Row]]:
    """Yield whole settings together, up to the size ``most``; of a larger one the first methods."""
    group: list[Row] = []
    taken = 0
    for setting in settings_of(rows, key):
        if taken and taken + size(setting) > most:
            yield group
            group, taken = [], 0
        group += first_methods(setting.rows, most)
        taken += size(setting)
    if group:
        yield group


def _bars(setting: Comparable) -> int:
    return len(summarize(setting.rows))


def _remarks(
    kind: Schema, groups: Sequence[Sequence[Row]], rows: Sequence[Row], most: int
) -> list[str]:
    drawn = sum(len(group) for group in groups[:most])
    if not groups or drawn == len(rows):
        return []
    limit = {
        "memory": f"{most} × {_MOST_BARS} configurations",
        "runtime": f"{most} × {_MOST_LINES} shapes, with {_MOST_METHODS} methods each,",
    }.get(kind.name, f"{most} settings, with {_MOST_METHODS} methods each,")
    return [f"At most {limit} are drawn: pictures show {drawn:,} of {len(rows):,} rows."]


def _words(kind: Schema, rows: Sequence[Row], path: Path) -> tuple[str, str]:
    """Return the caption of a picture, and what it shows to who cannot see it."""
    settings = condensed(kind, rows)
    title = settings[0].title if len(settings) == 1 else f"{len(settings)} settings"
    part = _PARTS.get(path.stem)
    caption = f"{kind.title}, {part}: {title}" if part else f"{kind.title}: {title}"
    if not kind.main:
        return caption, f"{caption}. The figures are in the table below."
    outcomes = [
        f"{each.title if len(settings) > 1 else 'outcome'}: {outcome_of(kind, each)}"
        for each in settings[:2]
    ]
    return caption, f"{caption}. {'. '.join(outcomes)}. The figures are in the table below."
