"""The method that trains as well as exact and needs the least memory for it."""

from __future__ import annotations

from collections.abc import Sequence

from xconv_bench.report.page.answers import Answer, figure, listed, plural
from xconv_bench.report.training_words import (
    JUDGED,
    Gap,
    Trained,
    TrainedSetting,
    gap,
    gap_words,
    measures_in,
)
from xconv_bench.report.words import format_ratio
from xconv_bench.results.schema.shared import PEAKS
from xconv_bench.results.schema.training import TRAINING

Judged = tuple[Trained, Gap]


def answer(setting: TrainedSetting) -> Answer | None:
    """Return the answer; None where no method can be compared with exact."""
    exact = setting.exact
    measures = measures_in(row for method in setting.methods for row in method.finals.values())
    if exact is None or not exact.finals or not measures:
        return None
    others = [method for method in setting.methods if method is not exact]
    judged = [(m, found) for m in others if (found := gap(m, exact, measures[0])) is not None]
    if not judged:
        return None
    seeds = plural(len(exact.finals), "seed")
    remarks = _remarks(judged, others, measures[0])
    saving = [each for each in judged if (_memory(each[0], exact) or 0) < 1]
    if not saving:
        return Answer("", "no method takes less memory than exact", remarks)
    best, found = max(saving, key=lambda each: each[1].mean)
    words = [f"{JUDGED[measures[0]]} {_mean(best, measures[0])}"]
    words.append(f"where exact has {_mean(exact, measures[0])}")
    words.append(f"a gap of {gap_words(found)} over {seeds}{_chance(found)}")
    if (memory := _memory(best, exact)) is not None:
        words.append(f"{format_ratio(memory)} the memory of exact")
    return Answer(best.name, ", ".join(words), remarks)


def _is_worse(found: Gap) -> bool:
    """Return whether a gap is below 0 beyond chance."""
    return found.half is not None and found.mean + found.half < 0


def _chance(found: Gap) -> str:
    """Return what is known of a gap beyond its mean."""
    if found.half is None:
        return ", which says nothing about chance"
    return "" if abs(found.mean) > found.half else ", which may be chance"


def _mean(method: Trained, measure: str) -> str:
    return figure(TRAINING, measure, {measure: method.mean(measure)})


def _memory(method: Trained, exact: Trained) -> float | None:
    """Return the ratio of the peaks, as far as one meter has read both."""
    for peak in PEAKS:
        if peak in TRAINING.names:
            ours, theirs = method.mean(peak), exact.mean(peak)
            if ours is not None and theirs:
                return ours / theirs
    return None


def _short(each: Judged, measure: str) -> str:
    method, found = each
    return f"{method.name}, {JUDGED[measure]} {gap_words(found)}"


def _remarks(judged: Sequence[Judged], others: Sequence[Trained], measure: str) -> list[str]:
    sentences = []
    worse = sorted((each for each in judged if _is_worse(each[1])), key=lambda each: each[1].mean)
    if worse:
        sentences.append(f"Worse than exact: {listed(_short(each, measure) for each in worse)}.")
    diverged = [method.name for method in others if method.diverged]
    if diverged:
        sentences.append(f"Training diverged with {', '.join(diverged)}.")
    return sentences
