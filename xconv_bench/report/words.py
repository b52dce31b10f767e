"""Configurations and statuses in words: titles, labels and headings."""

from collections.abc import Mapping, Sequence

from xconv_bench.configuration import described_columns
from xconv_bench.knobs import KNOBS, Knob
from xconv_bench.report.summary import Summary
from xconv_bench.report.units import format_budget
from xconv_bench.results.columns import Cell

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

_DIALS = tuple(knob for knob in KNOBS.values() if knob.is_dial)
_DETAILS = tuple(knob for knob in KNOBS.values() if not knob.is_dial and knob.name != "scheme")


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


def method_words(row: Mapping[str, Cell]) -> str:
    """Return ``xconv multi r=8 relu``: the method of a row and its knobs."""
    details = (_knob_words(knob, row) for knob in _DETAILS)
    words = (row["method"], row["scheme"], dial_words(row), *details)
    return " ".join(str(each) for each in words if each)


def dial_words(row: Mapping[str, Cell]) -> str:
    """Return ``r=8`` or ``2 bits``: the knobs that trade memory for error or time; often nothing.

    Methods that are combined may have several.
    """
    return " ".join(words for knob in _DIALS if (words := _knob_words(knob, row)))


def estimator_words(row: Mapping[str, Cell]) -> str:
    """Return ``xconv multi relu``: the method and its knobs, without the dials."""
    return method_words({**row, **dict.fromkeys(knob.name for knob in _DIALS)})


def phrases(columns: Mapping[str, Cell]) -> str:
    """Return ``resnet50, batch 64, 224 px``: what the columns with a value say."""
    return ", ".join(_phrase(name, value) for name, value in columns.items() if value is not None)


def outcome(summary: Summary) -> str:
    """Return ``ok``, ``out of memory``, or how many rows ended how."""
    counts = summary.statuses
    if len(counts) == 1:
        return status_words(next(iter(counts)))
    return ", ".join(f"{count} {status_words(status)}" for status, count in counts.items())


def status_words(status: str) -> str:
    """Return the words for a status: ``out of memory`` for ``oom``."""
    return STATUS_WORDS.get(status, status)


def _phrase(column: str, value: Cell) -> str:
    if column == "memory_budget_bytes" and isinstance(value, int):
        return f"{format_budget(value)} of memory"
    return _said(_PHRASES.get(column, "{}"), value)


def _knob_words(knob: Knob, row: Mapping[str, Cell]) -> str:
    value = row.get(knob.name)
    if value is None or (knob.is_usual(row) and not knob.says_default):
        return ""
    return knob.phrase(value) if callable(knob.phrase) else _said(knob.phrase, value)


def _said(phrase: str, value: Cell) -> str:
    """Return ``2 bits`` or ``1 bit``."""
    words = phrase.format(value)
    return words.removesuffix("s") if value == 1 else words


def _values(summaries: Sequence[Summary], column: str) -> list[Cell]:
    # A row that failed early does not know every fact: that is no difference.
    values = dict.fromkeys(summary.settings[column] for summary in summaries)
    return [value for value in values if value is not None]
