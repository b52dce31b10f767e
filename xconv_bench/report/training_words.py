"""Figures of trainings: final measures, gaps to exact, and their intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, log10, sqrt
from statistics import fmean, median, stdev
from typing import Any

from xconv_bench.knobs import KNOBS
from xconv_bench.naming import method_words
from xconv_bench.report.settings import number
from xconv_bench.report.summary import REFERENCE, Row, grouped
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


def trained_in(rows: Sequence[Row]) -> dict[tuple[object, ...], list[Trained]]:
    """Return the methods of each setting, exact first as it was planned."""
    return {
        key: [_trained(name, same) for name, same in grouped(some, name_of).items()]
        for key, some in grouped(rows, _setting).items()
    }


def means_over_seeds(rows: Sequence[Row]) -> list[Row]:
    """Return a row for each method of each setting, with the means of its final rows.

    ``gap`` is that of the first measure, in words.
    """
    found: list[Row] = []
    for key, methods in trained_in(rows).items():
        columns: dict[str, Any] = dict(zip(SETTING_KEY, key, strict=True))
        columns["equal_memory"] = "equal memory" if columns["equal_memory"] else None
        gaps = gaps_in(methods)
        for method in methods:
            last = method.finals or {0: method.rows[-1]}
            means: dict[str, Any] = {name: method.mean(name) for name in _AVERAGED}
            means |= {"epoch_seconds": method.epoch_seconds(), "gap": gaps.get(method.name)}
            found.append({**next(iter(last.values())), **columns, **means})
    return found


def picture_names(keys: Iterable[tuple[object, ...]]) -> list[str]:
    """Return a name for the pictures of each setting: its task, and a number from the second on."""
    tasks = [str(dict(zip(SETTING_KEY, key, strict=True))["task"]) for key in keys]
    counts = [tasks[: place + 1].count(task) for place, task in enumerate(tasks)]
    return [f"{t}_{count}" if count > 1 else t for t, count in zip(tasks, counts, strict=True)]


def name_of(row: Row) -> str:
    """Return the name of a method with its knobs: ``xconv independent r=16 conv,relu``."""
    return method_words(row)


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


def gaps_in(methods: Sequence[Trained]) -> dict[str, str]:
    """Return the gaps of the first measure to exact in words, by method, where there are any."""
    exact = next((method for method in methods if method.is_exact), None)
    measures = measures_in([row for method in methods for row in method.rows])
    if exact is None or not measures:
        return {}
    gaps = {m.name: gap(m, exact, measures[0]) for m in methods if m is not exact}
    return {name: gap_words(found) for name, found in gaps.items() if found is not None}


def gap_words(found: Gap) -> str:
    """Return ``-0.0120 ± 0.0040``: two digits of the interval; without one for a single seed."""
    if found.half is None:
        return f"{found.mean:+.3g}"
    decimals = max(0, 1 - floor(log10(found.half))) if found.half > _ROUNDING else 4
    return f"{found.mean:+.{decimals}f} ± {found.half:.{decimals}f}"


def _setting(row: Row) -> tuple[object, ...]:
    free = _CHOSEN_BY_MEMORY if row["equal_memory"] else frozenset()
    return tuple(None if name in free else row[name] for name in SETTING_KEY)


def _trained(name: str, rows: list[Row]) -> Trained:
    last = [row for row in rows if row["epoch"] == row["epochs"]]
    finals = {int(row["seed"] or 0): row for row in last if row["status"] in MEASURED_STATUSES}
    return Trained(name, rows, finals, sum(row["status"] == "diverged" for row in last))
