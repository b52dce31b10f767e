"""What a table of trainings says in figures: final measures, gaps to exact, and their intervals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from xconv_bench.report.settings import number
from xconv_bench.report.summary import REFERENCE, Row
from xconv_bench.report.words import method_words
from xconv_bench.results.columns import MEASURES, TRAINING_KEY, Cell

JUDGED = {
    "accuracy": ("accuracy", True),
    "frechet_distance": ("Fréchet distance", False),
    "classifier_agreement": ("classifier agreement", True),
    "psnr_db": ("PSNR (dB)", True),
    "ssim": ("SSIM", True),
    "dice": ("Dice", True),
    "iou": ("IoU", True),
}
"""By the column of a measure: its name, and whether more is better."""

_CONFIDENCE = 0.95
_METHOD = ("method", "scheme", "probes", "distribution", "compress", "segments", "keep", "bits",
           "budget", "first")  # fmt: skip
_WITHIN = frozenset({*_METHOD, "seed", "epoch", "batch_size", "learning_rate"})
SETTING_KEY = tuple(column for column in TRAINING_KEY if column not in _WITHIN)
"""What trainings have in common that are held against each other."""


@dataclass(frozen=True)
class Gap:
    """By how much the measure is better than exact's: mean over seeds, half of its interval.

    ``half`` is None with a single seed.
    """

    mean: float
    half: float | None


@dataclass(frozen=True)
class Trained:
    """The trainings of one method in one setting, all seeds.

    ``finals`` holds the last row of each seed that was trained to its end; ``curves`` the rows of
    each seed.
    """

    name: str
    rows: list[Row]
    finals: dict[int, Row]
    diverged: int

    @property
    def is_exact(self) -> bool:
        """Whether it is what all others are held against."""
        return self.rows[0]["method"] == REFERENCE

    def mean(self, column: str) -> float | None:
        """Over the seeds that have it."""
        values = [v for row in self.finals.values() if (v := number(row, column)) is not None]
        return fmean(values) if values else None

    def epoch_seconds(self) -> float | None:
        """Mean over epochs and seeds."""
        values = [v for row in self.rows if (v := number(row, "epoch_seconds")) is not None]
        return fmean(values) if values else None


def trained_in(rows: Sequence[Row]) -> dict[tuple[object, ...], list[Trained]]:
    """The methods of each setting, exact first as it was planned."""
    settings: dict[tuple[object, ...], dict[str, list[Row]]] = {}
    for row in rows:
        key = tuple(row[name] for name in SETTING_KEY)
        settings.setdefault(key, {}).setdefault(name_of(row), []).append(row)
    return {
        key: [_trained(name, some) for name, some in methods.items()]
        for key, methods in settings.items()
    }


def name_of(row: Row) -> str:
    """``xconv independent r=16 conv,relu``, and whether its first layer is exact."""
    words = method_words(row)
    return f"{words}, first exact" if row["first"] == "exact" else words


def file_name(key: Mapping[str, Cell]) -> str:
    """A name for the files of a training: readable, and another one for each in a run."""
    words = [key["task"], method_words(key), key["first"] if key["first"] == "exact" else ""]
    words += [f"batch {key['batch_size']}", f"lr {key['learning_rate']}", f"{key['epochs']} epochs"]
    words += [key["data"], key["model"], key["image_size"], key["dtype"], key["device"]]
    words += ["equal memory" if key["equal_memory"] else "", f"seed {key['seed']}"]
    text = " ".join(str(word) for word in words if word)
    return re.sub(r"[^A-Za-z0-9.=]+", "-", text).strip("-")


def measures_in(rows: Iterable[Row]) -> list[str]:
    """The columns of the measures that have values."""
    some = list(rows)
    return [name for name in MEASURES if any(number(row, name) is not None for row in some)]


def gap(method: Trained, exact: Trained, column: str) -> Gap | None:
    """Paired by seed: what the seed decides alike for both, such as weights, is not in it."""
    sign = 1 if JUDGED[column][1] else -1
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


def _trained(name: str, rows: list[Row]) -> Trained:
    last = [row for row in rows if row["epoch"] == row["epochs"]]
    finals = {int(row["seed"] or 0): row for row in last if row["status"] == "ok"}
    return Trained(name, rows, finals, sum(row["status"] == "diverged" for row in last))
