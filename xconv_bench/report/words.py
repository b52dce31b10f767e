"""Configurations and statuses in words: titles, labels and headings."""

from collections.abc import Mapping, Sequence

from xconv_bench.configuration import usual_allotment
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

USUAL_DISTRIBUTION = "rademacher"
"""Of the probes; only another one is worth a word."""

USUAL_FIRST = "exact"
"""What becomes of the layer whose input is the batch; only the other is worth a word."""

USUAL_NORM_BITS = 4
"""Of a normalised input; only others are worth a word."""

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
    "seed": "seed {}",
    "samples": "{} samples",
    "weights": "{} weights",
    "warmup_steps": "{} steps of training",
    "minibatches": "{} minibatches",
    "headroom": "headroom {}",
    "most": "at most {} samples",
    "rounds": "{} rounds",
    "repeats": "{} seeds of the estimator",
    "learning_rate": "learning rate {}",
    "epochs": "{} epochs",
}


_DIALS = {
    "probes": "r={}",
    "segments": "{} segments",
    "keep": "keep={}",
    "bits": "{:g} bits",
    "budget": "budget={}",
}
"""Methods that are combined may have one of these each."""


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
    where = phrases({column: summary.settings[column] for column in setting})
    return f"{where}: {method_words(summary.settings)}" if where else method_words(summary.settings)


def method_words(row: Mapping[str, Cell]) -> str:
    """``xconv multi r=8 relu``: the method of a row and its knobs."""
    distribution = row["distribution"]
    usual = usual_allotment(row["scheme"])
    knobs = [
        row["method"],
        row["scheme"],
        dial_words(row),
        None if distribution == USUAL_DISTRIBUTION else distribution,
        row["compress"],
        _norm_words(row.get("norm_bits")),
        _plan_words(row.get("plan")),
        None if row["first"] in (None, USUAL_FIRST) else f"first {row['first']}",
        None if row["allot"] in (None, usual) else f"by {row['allot']}",
    ]
    return " ".join(str(knob) for knob in knobs if knob)


def _norm_words(norm_bits: Cell) -> str | None:
    return None if norm_bits in (None, USUAL_NORM_BITS) else _said("norm {} bits", norm_bits)


def _plan_words(plan: Cell) -> str | None:
    """``plan.toml@1f0c44a2``, without the folder."""
    return None if plan is None else str(plan).rpartition("/")[2]


def dial_words(row: Mapping[str, Cell]) -> str:
    """``r=8`` or ``2 bits``: the knobs that trade memory for error or time; often nothing."""
    values = ((phrase, row[name]) for name, phrase in _DIALS.items())
    return " ".join(_said(phrase, value) for phrase, value in values if value is not None)


def estimator_words(row: Mapping[str, Cell]) -> str:
    """``xconv multi relu``: the same wherever the dial stands."""
    return method_words({**row, **dict.fromkeys(_DIALS)})


def phrases(columns: Mapping[str, Cell]) -> str:
    """``resnet50, batch 64, 224 px``: what the columns say; nothing of those without a value."""
    return ", ".join(_phrase(name, value) for name, value in columns.items() if value is not None)


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
    if column == "memory_budget_bytes" and isinstance(value, int):
        return f"{format_budget(value)} of memory"
    return _said(_PHRASES.get(column, "{}"), value)


def _said(phrase: str, value: Cell) -> str:
    """``2 bits``, ``1 bit``."""
    words = phrase.format(value)
    return words.removesuffix("s") if value == 1 else words


def _values(summaries: Sequence[Summary], column: str) -> list[Cell]:
    # A row that failed early does not know every fact: that is no difference.
    values = dict.fromkeys(summary.settings[column] for summary in summaries)
    return [value for value in values if value is not None]
