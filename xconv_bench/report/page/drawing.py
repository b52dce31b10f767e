"""Draw the pictures of a table, as many as a reader looks at."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from xconv_bench import interrupts
from xconv_bench.errors import BenchError
from xconv_bench.report.canvas.files import kept_as
from xconv_bench.report.page.findings import outcome_of
from xconv_bench.report.page.kinds import condensed, first_methods
from xconv_bench.report.pictures import plot
from xconv_bench.report.settings import Beside, Comparable, settings_of
from xconv_bench.report.summary import Row, summarize
from xconv_bench.report.variance_laws import BATCHES_TOGETHER
from xconv_bench.results.schema import Schema

MOST_EMBEDDED = 3
"""Most settings of a table, run by run, of which a page shows pictures."""
MOST_FILES = 50
"""Most settings of a table, run by run, of which pictures are written."""
_MOST_BARS = 40
_MOST_LINES = 24
_MOST_METHODS = 24


@dataclass(frozen=True)
class Embedded:
    """Hold a picture as PNG; ``alt`` says in words what is to be seen."""

    png: bytes
    caption: str
    alt: str


def embedded_pictures(
    kind: Schema, rows: Sequence[Row], beside: Beside
) -> tuple[list[Embedded], list[str]]:
    """Return the pictures of the first settings, and sentences on what is not shown."""
    groups = _groups(kind, rows)
    found: list[Embedded] = []
    remarks = _remarks(kind, groups, rows, MOST_EMBEDDED)
    for group in groups[:MOST_EMBEDDED]:
        with TemporaryDirectory() as folder, kept_as("png"):
            paths, problems = _drawn(kind, group, beside, Path(folder))
            remarks += problems
            found += [Embedded(p.read_bytes(), *_words(kind, group, p)) for p in paths]
    return found, remarks


def write_pictures(
    kind: Schema, rows: Sequence[Row], beside: Beside, folder: Path, kinds: Sequence[str]
) -> tuple[list[Path], list[str]]:
    """Write pictures in the formats ``kinds`` and return their paths, and sentences as above.

    Raises BenchError where a file cannot be written.
    """
    groups = _groups(kind, rows)
    together = kind.name in _ONE_PICTURE
    most = 1 if together else MOST_FILES
    with kept_as(*kinds):
        some = [row for group in groups[:most] for row in group]
        paths, problems = _drawn(kind, some, beside, folder)
    return paths, [*_remarks(kind, groups, rows, most), *problems]


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


_ONE_PICTURE = ("memory", "runtime")
"""Tables whose settings are all in one picture."""


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


_PARTS = {
    "error": "error against probes",
    "error_bytes": "error against what is saved",
    "frontier_error": "error against peak memory",
    "frontier_time": "time against peak memory",
    "variance_ratio": "estimator's variance over that of minibatches",
    "variance_rounding": "error at half precision beside that of rounding",
}


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
