"""Configurations and statuses in words: titles, labels and headings."""

from collections.abc import Mapping, Sequence

from xconv_bench.configuration import described_columns
from xconv_bench.naming import method_words, said
from xconv_bench.report.summary import Summary
from xconv_bench.report.units import format_budget
from xconv_bench.results.schema import Cell

STATUS_WORDS = {
    "ok": "ok",
    "doubtful": "doubtful",
    "oom": "out of memory",
    "error": "failed",
    "timeout": "timed out",
    "unsupported": "unsupported",
    "diverged": "diverged",
}

HEADINGS = {
    "model": "model",
    "batch_size": "batch",
    "image_size": "image",
    "dtype": "dtype",
    "device": "device",
}
"""The headings of the columns that describe a setting."""

# The model decides its parameters and convolutions: they tell no two configurations apart.
_TITLE = ("model", "parameters", "convolutions", "batch_size", "image_size", "dtype", "device")

_PHRASES = {
    **described_columns(),
    "parameters": "{:,} parameters",
    "convolutions": "{} convolutions",
    "rounds": "{} rounds",
}


def varying(summaries: Sequence[Summary]) -> list[str]:
    """Return the columns of ``HEADINGS`` in which the summaries differ."""
    return [column for column in HEADINGS if len(_values(summaries, column)) > 1]


def title(summaries: Sequence[Summary]) -> str:
    """Return what is the same for all: ``resnet50, batch 64, 224 px, float32, cpu``."""
    values = {column: _values(summaries, column) for column in _TITLE}
    return ", ".join(
        _phrase(column, found[0]) for column, found in values.items() if len(found) == 1
    )


def label(summary: Summary, setting: Sequence[str] = ()) -> str:
    """Return ``xconv multi r=8 relu``, after the columns of ``setting`` where there are any."""
    where = phrases({column: summary.settings[column] for column in setting})
    return f"{where}: {method_words(summary.settings)}" if where else method_words(summary.settings)


def phrases(columns: Mapping[str, Cell]) -> str:
    """Return ``resnet50, batch 64, 224 px``: what the columns with a value say."""
    return ", ".join(_phrase(name, value) for name, value in columns.items() if value is not None)


def outcome(summary: Summary) -> str:
    """Return ``ok``, ``out of memory``, or how many rows ended how."""
    counts = summary.statuses
    if len(counts) == 1:
        return status_words(next(iter(counts)))
    return counts_words(counts)


def counts_words(counts: Mapping[str, int]) -> str:
    """Return how many rows ended how: ``18 ok, 1 out of memory``."""
    return ", ".join(f"{count:,} {status_words(status)}" for status, count in counts.items())


def ended(row: Mapping[str, Cell]) -> str:
    """Return in words how the measurement of a row ended: ``out of memory``."""
    return status_words(str(row["status"]))


def status_words(status: str) -> str:
    """Return the words for a status: ``out of memory`` for ``oom``."""
    return STATUS_WORDS.get(status, status)


def _phrase(column: str, value: Cell) -> str:
    if column == "memory_budget_bytes" and isinstance(value, int):
        return f"{format_budget(value)} of memory"
    return said(_PHRASES.get(column, "{}"), value)


def _values(summaries: Sequence[Summary], column: str) -> list[Cell]:
    # A row that failed early does not know every fact: that is no difference.
    values = dict.fromkeys(summary.settings[column] for summary in summaries)
    return [value for value in values if value is not None]
