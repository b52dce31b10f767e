"""Configurations and statuses in words: titles, labels and headings."""

from collections.abc import Sequence

from xconv_bench.report.summary import Summary
from xconv_bench.results.columns import Cell

STATUS_WORDS = {
    "ok": "ok",
    "oom": "out of memory",
    "error": "failed",
    "timeout": "timed out",
    "unsupported": "unsupported",
}

USUAL_DISTRIBUTION = "rademacher"
"""Of the probes; only another one is worth a word."""

HEADINGS = {
    "model": "model",
    "batch_size": "batch",
    "image_size": "image",
    "dtype": "dtype",
    "device": "device",
}
"""What describes a setting, with its heading in a table."""

# The model decides its parameters and convolutions: they tell no two configurations apart.
_TITLE = ("model", "parameters", "convolutions", "batch_size", "image_size", "dtype", "device")

_PHRASES = {
    "parameters": "{:,} parameters",
    "convolutions": "{} convolutions",
    "batch_size": "batch {}",
    "image_size": "{} px",
}


def varying(summaries: Sequence[Summary]) -> list[str]:
    """The columns of ``HEADINGS`` in which the summaries differ."""
    return [column for column in HEADINGS if len(_values(summaries, column)) > 1]


def title(summaries: Sequence[Summary]) -> str:
    """What is the same for all: ``resnet50, batch 64, 224 px, float32, cpu``."""
    values = {column: _values(summaries, column) for column in _TITLE}
    return ", ".join(
        _phrase(column, found[0]) for column, found in values.items() if len(found) == 1
    )


def label(summary: Summary, setting: Sequence[str] = ()) -> str:
    """``xconv multi r=8 relu``, after the columns of ``setting`` where there are any."""
    method = summary.settings
    knobs = [
        method["method"],
        method["scheme"],
        None if method["probes"] is None else f"r={method['probes']}",
        None if method["distribution"] == USUAL_DISTRIBUTION else method["distribution"],
        method["compress"],
    ]
    where = [_phrase(column, method[column]) for column in setting if method[column] is not None]
    prefix = f"{', '.join(where)}: " if where else ""
    return prefix + " ".join(str(knob) for knob in knobs if knob is not None)


def outcome(summary: Summary) -> str:
    """``ok``, ``out of memory``, or how many rows ended how."""
    counts = summary.statuses
    if len(counts) == 1:
        return status_words(next(iter(counts)))
    return ", ".join(f"{count} {status_words(status)}" for status, count in counts.items())


def status_words(status: str) -> str:
    """``oom`` is ``out of memory``."""
    return STATUS_WORDS.get(status, status)


def _phrase(column: str, value: Cell) -> str:
    return _PHRASES.get(column, "{}").format(value)


def _values(summaries: Sequence[Summary], column: str) -> list[Cell]:
    # A row that failed early does not know every fact: that is no difference.
    values = dict.fromkeys(summary.settings[column] for summary in summaries)
    return [value for value in values if value is not None]
