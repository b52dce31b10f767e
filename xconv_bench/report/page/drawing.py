"""The pictures of a table, as many as a reader looks at."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from xconv_bench import interrupts
from xconv_bench.errors import BenchError
from xconv_bench.report.page.findings import outcome_of
from xconv_bench.report.page.kinds import condensed, first_methods
from xconv_bench.report.pictures import kept_as
from xconv_bench.report.settings import Setting, settings_of
from xconv_bench.report.summary import Row, summarize
from xconv_bench.report.variance_laws import BATCHES_TOGETHER
from xconv_bench.results.schema import Schema

MOST_EMBEDDED = 3
"""Settings of a table, run by run, that a page shows pictures of."""
MOST_FILES = 50
"""Settings of a table, run by run, that pictures are written of."""
_MOST_BARS = 40
_MOST_LINES = 24
_MOST_METHODS = 24

Draw = Callable[[Sequence[Row], Path], list[Path]]


@dataclass(frozen=True)
class Beside:
    """What is drawn into the pictures of a run beside the rows of their table.

    ``laws`` of variances, and the folder of what trained networks have ``made``.
    """

    laws: Sequence[Row]
    made: Path


@dataclass(frozen=True)
class Embedded:
    """A picture as PNG; ``alt`` says in words what is to be seen."""

    png: bytes
    caption: str
    alt: str


def embedded_pictures(
    kind: Schema, rows: Sequence[Row], beside: Beside
) -> tuple[list[Embedded], list[str]]:
    """The pictures of the first settings, and sentences on what is not shown."""
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
        with warnings.catch_warnings(action="ignore"):  # of figures that have no place on an axis
            return plot_of(kind.name, beside)(rows, folder), []
    except BenchError:
        raise
    except Exception as error:  # odd figures must not take the rest of the report with them
        interrupts.check()  # it may be the cause
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return [], [f"A picture could not be drawn ({reason})."]


def plot_of(name: str, beside: Beside) -> Draw:
    """Return what draws the pictures of the table of that name."""
    from xconv_bench.report.average_error_plot import plot_average_error
    from xconv_bench.report.error_plot import plot_error
    from xconv_bench.report.estimates_plot import plot_estimates
    from xconv_bench.report.frontier_plot import plot_frontier
    from xconv_bench.report.layers_plot import plot_layers
    from xconv_bench.report.max_batch_plot import plot_max_batch
    from xconv_bench.report.memory_plot import plot_memory
    from xconv_bench.report.runtime_plot import plot_runtime
    from xconv_bench.report.training_pictures import draw_training_pictures
    from xconv_bench.report.training_plot import plot_training
    from xconv_bench.report.variance_plot import plot_variance

    plots: dict[str, Draw] = {
        "memory": plot_memory,
        "max_batch": plot_max_batch,
        "frontier": plot_frontier,
        "advice": lambda rows, folder: [],
        "runtime": plot_runtime,
        "layers": plot_layers,
        "error": plot_error,
        "age": plot_average_error,
        "variance": lambda rows, folder: plot_variance(rows, beside.laws, folder),
        "training": lambda rows, folder: [
            *plot_training(rows, folder),
            *draw_training_pictures(rows, beside.made, folder),
        ],
        "estimates": plot_estimates,
        "variance_law": lambda rows, folder: [],  # drawn into the pictures of variance
    }
    return plots[name]


_ONE_PICTURE = ("memory", "runtime")
"""Tables of which all settings are in one picture."""


def _groups(kind: Schema, rows: Sequence[Row]) -> list[list[Row]]:
    """What is drawn together, with no more methods than can be told apart."""
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
    rows: Sequence[Row], key: Sequence[str], size: Callable[[Setting], int], most: int
) -> Iterator[list[Row]]:
    """Whole settings together, up to the size ``most``; of a larger one the first methods."""
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


def _bars(setting: Setting) -> int:
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
    """The caption of a picture, and what it shows to who cannot see it."""
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
