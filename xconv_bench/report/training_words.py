"""Figures of trainings: final measures, gaps to exact, and their intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, log10, sqrt
from statistics import fmean, median, stdev
from typing import Any

from xconv_bench.knobs import KNOBS
from xconv_bench.naming import method_words
from xconv_bench.report.rows import REFERENCE, Row, grouped, number
from xconv_bench.report.words import phrases
from xconv_bench.results.schema.column import Better
from xconv_bench.results.schema.training import MEASURES, TRAINING
from xconv_bench.results.statuses import MEASURED_STATUSES

JUDGED = {name: TRAINING[name].heading for name in MEASURES}
"""The headings of the measures by their columns."""

_CONFIDENCE = 0.95
_ROUNDING = 1e-9
"""An interval below this is none: all seeds have the same gap."""
_WITHIN = frozenset({"method", *KNOBS, "seed", "epoch"})
_CHOSEN_BY_MEMORY = frozenset({"batch_size", "learning_rate"})
_AVERAGED = [
    column.name
    for column in TRAINING.figures
    if column.is_number and column.name != "epoch_seconds"
]
_TITLE = ("batch_size", "image_size", "dtype", "device", "epochs", "learning_rate")
SETTING_KEY = tuple(column for column in TRAINING.key if column not in _WITHIN)
"""The columns that trainings have in common where they are compared.

At equal memory each method has a batch and a learning rate of its own: these two are None there.
"""


@dataclass(frozen=True)
class Gap:
    """The amount by which a measure is better than exact's: mean over seeds, half of its interval.

    ``half`` is None with a single seed.
    """

    mean: float
    half: float | None


@dataclass(frozen=True)
class Trained:
    """The trainings of one method in one setting, all seeds.

    ``finals`` holds the last row of each seed that was trained to its end.
    """

    name: str
    rows: list[Row]
    finals: dict[int, Row]
    diverged: int

    @property
    def is_exact(self) -> bool:
        """Return whether it is the method that all others are compared with."""
        return self.rows[0]["method"] == REFERENCE

    def mean(self, column: str) -> float | None:
        """Return the mean over the seeds that have a value."""
        values = [v for row in self.finals.values() if (v := number(row, column)) is not None]
        return fmean(values) if values else None

    def epoch_seconds(self) -> float | None:
        """Return the median over epochs and seeds: other work on the machine only adds to some."""
        values = [v for row in self.rows if (v := number(row, "epoch_seconds")) is not None]
        return median(values) if values else None


@dataclass(frozen=True)
class TrainedSetting:
    """The methods of one setting, exact first as it was planned.

    ``columns`` are what they have in common, by ``SETTING_KEY``.
    """

    columns: dict[str, Any]
    methods: list[Trained]

    @property
    def rows(self) -> list[Row]:
        """Return the rows of all methods."""
        return [row for method in self.methods for row in method.rows]

    @property
    def exact(self) -> Trained | None:
        """Return the method that all others are compared with."""
        return next((method for method in self.methods if method.is_exact), None)

    @property
    def title(self) -> str:
        """Return ``classification of digits by net, batch 32, 28 px, 15 epochs``, and so on."""
        head = f"{self.columns['task']} of {self.columns['data']} by {self.columns['model']}"
        rest = phrases({name: self.columns[name] for name in _TITLE})
        return f"{head}, {rest}" + (", at equal memory" if self.columns["equal_memory"] else "")

    def gaps(self) -> dict[str, str]:
        """Return the gaps of the first measure to exact in words, by method."""
        exact, measures = self.exact, measures_in(self.rows)
        if exact is None or not measures:
            return {}
        gaps = {m.name: gap(m, exact, measures[0]) for m in self.methods if m is not exact}
        return {name: gap_words(found) for name, found in gaps.items() if found is not None}


def trained_in(rows: Sequence[Row]) -> list[TrainedSetting]:
    """Return the settings in the order in which they first occur."""
    return [
        TrainedSetting(
            dict(zip(SETTING_KEY, key, strict=True)),
            [_trained(name, same) for name, same in grouped(some, method_words).items()],
        )
        for key, some in grouped(rows, _setting).items()
    ]


def means_over_seeds(rows: Sequence[Row]) -> list[Row]:
    """Return a row for each method of each setting, with the means of its final rows.

    ``gap`` is that of the first measure, in words.
    """
    found: list[Row] = []
    for setting in trained_in(rows):
        equal = "equal memory" if setting.columns["equal_memory"] else None
        columns = {**setting.columns, "equal_memory": equal}
        gaps = setting.gaps()
        for method in setting.methods:
            last = method.finals or {0: method.rows[-1]}
            means: dict[str, Any] = {name: method.mean(name) for name in _AVERAGED}
            means |= {"epoch_seconds": method.epoch_seconds(), "gap": gaps.get(method.name)}
            found.append({**next(iter(last.values())), **columns, **means})
    return found


def measures_in(rows: Iterable[Row]) -> list[str]:
    """Return the columns of the measures that have values."""
    some = list(rows)
    return [name for name in MEASURES if any(number(row, name) is not None for row in some)]


def gap(method: Trained, exact: Trained, column: str) -> Gap | None:
    """Return the gap to exact, paired by seed.

    It leaves out what a seed decides alike for both, such as weights.
    """
    sign = 1 if TRAINING[column].better is Better.MORE else -1
    differences = []
    for seed, row in method.finals.items():
        ours, theirs = number(row, column), number(exact.finals.get(seed, {column: None}), column)
        if ours is not None and theirs is not None:
            differences.append(sign * (ours - theirs))
    if not differences:
        return None
    if len(differences) == 1:
        return Gap(differences[0], None)
    from scipy.stats import t

    quantile = float(t.ppf((1 + _CONFIDENCE) / 2, len(differences) - 1))
    half = quantile * stdev(differences) / sqrt(len(differences))
    return Gap(fmean(differences), half)


def gap_words(found: Gap) -> str:
    """Return ``-0.0120 ± 0.0040``: two digits of the interval; without one for a single seed."""
    if found.half is None:
        return f"{found.mean:+.3g}"
    decimals = max(0, 1 - floor(log10(found.half))) if found.half > _ROUNDING else 4
    return f"{found.mean:+.{decimals}f} ± {found.half:.{decimals}f}"


def _setting(row: Row) -> tuple[object, ...]:
    free = _CHOSEN_BY_MEMORY if row["equal_memory"] else frozenset()
    said = {**row, "equal_memory": row["equal_memory"] or 0}
    return tuple(None if name in free else said[name] for name in SETTING_KEY)


def _trained(name: str, rows: list[Row]) -> Trained:
    last = [row for row in rows if row["epoch"] == row["epochs"]]
    finals = {int(row["seed"] or 0): row for row in last if row["status"] in MEASURED_STATUSES}
    return Trained(name, rows, finals, sum(row["status"] == "diverged" for row in last))
