"""Figures, statuses and settings as people write them."""

from collections.abc import Callable, Mapping, Sequence
from math import floor, isfinite, log10

from xconv_bench.amounts import WHOLE_BYTES, bytes_scale, format_bytes, number, seconds_scale
from xconv_bench.configuration import described_columns
from xconv_bench.naming import said, whole_model_words
from xconv_bench.results.schema import Cell, Column
from xconv_bench.results.schema.column import Unit

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

_PHRASES = {
    **described_columns(),
    "parameters": "{:,} parameters",
    "convolutions": "{} convolutions",
    "rounds": "{} rounds",
}
_PLAIN = (1e-3, 1e5)
"""Between these a measured value is written without an exponent."""


def phrases(columns: Mapping[str, Cell]) -> str:
    """Return ``resnet50, batch 64, 224 px``: what the columns with a value say."""
    return ", ".join(_phrase(name, value) for name, value in columns.items() if value is not None)


def common(rows: Sequence[Mapping[str, Cell]], names: Sequence[str]) -> dict[str, Cell]:
    """Return the columns of ``names`` that have one value in all rows, with it."""
    values = {name: _values(rows, name) for name in names}
    return {name: found[0] for name, found in values.items() if len(found) == 1}


def differing(rows: Sequence[Mapping[str, Cell]]) -> list[str]:
    """Return the columns of ``HEADINGS`` in which the rows differ."""
    return [name for name in HEADINGS if len(_values(rows, name)) > 1]


def counts_words(counts: Mapping[str, int]) -> str:
    """Return how many rows ended how: ``18 ok, 1 out of memory``."""
    return ", ".join(f"{count:,} {status_words(status)}" for status, count in counts.items())


def ended(row: Mapping[str, Cell]) -> str:
    """Return in words how the measurement of a row ended: ``out of memory``."""
    return status_words(str(row["status"]))


def status_words(status: str) -> str:
    """Return the words for a status: ``out of memory`` for ``oom``."""
    return STATUS_WORDS.get(status, status)


def known(value: float | None, write: Callable[[float], str], unknown: str = "?") -> str:
    """Write a value as ``write`` does, or ``unknown`` where it is None."""
    return unknown if value is None else write(value)


def format_budget(count: int) -> str:
    """Write bytes that somebody chose, as a whole number of GiB or MiB where they are one.

    >>> format_budget(16 * 2**30), format_budget(500 * 2**20), format_budget(8 * 10**9)
    ('16 GiB', '500 MiB', '7629 MiB')
    """
    unit = next((unit for unit in WHOLE_BYTES if count % unit.size == 0), None)
    return f"{count / unit.size:.0f} {unit.name}" if unit else format_bytes(count)


def format_duration(seconds: float) -> str:
    """Write how long somebody has to wait.

    >>> format_duration(0.4), format_duration(47), format_duration(150), format_duration(7500)
    ('1 s', '47 s', '2.5 min', '2.1 h')
    """
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.1f} min" if seconds < 5940 else f"{seconds / 3600:.1f} h"


def format_ratio(ratio: float) -> str:
    """Write a ratio.

    >>> format_ratio(0.6433), format_ratio(12)
    ('0.64×', '12.0×')
    """
    return f"{number(ratio)}×"


def format_error(error: float) -> str:
    """Write an error relative to what it is an error of.

    >>> format_error(0.21), format_error(0.00012)
    ('0.210', '1.2e-04')
    """
    return f"{error:.3f}" if error == 0 or error >= 1e-3 else f"{error:.1e}"


def format_measured(value: float, standard_error: float | None) -> str:
    """Write ``value`` as far as its standard error lets it be known, and to three digits at most.

    >>> format_measured(0.41234, 0.0031), format_measured(0.41234, 1e-5)
    ('0.412 ± 0.003', '0.412 ± <0.001')
    >>> format_measured(12.3, 0.99), format_measured(2e-5, 3e-6), format_measured(0.41234, None)
    ('12 ± 1', '2.0e-05 ± 3e-06', '0.412')
    """
    if value == 0 or not isfinite(value):
        return format_error(value)
    error = standard_error if standard_error and isfinite(standard_error) else None
    if not _PLAIN[0] <= abs(value) < _PLAIN[1]:
        return f"{value:.1e}" if error is None else f"{value:.1e} ± {error:.0e}"
    decimals = _decimals(value, 3)
    if error is None:
        return f"{value:.{decimals}f}"
    decimals = min(decimals, _decimals(error, 1))
    last = 10.0**-decimals
    doubt = f"<{last:.{decimals}f}" if error < last / 2 else f"{error:.{decimals}f}"
    return f"{value:.{decimals}f} ± {doubt}"


def format_p_value(probability: float) -> str:
    """Write a probability.

    >>> format_p_value(0.314), format_p_value(0.00012), format_p_value(3e-12)
    ('0.31', '1.2e-04', '3.0e-12')
    """
    return f"{probability:.2f}" if probability >= 0.01 else f"{probability:.1e}"


def formatter(column: Column, largest: float) -> Callable[[float], str]:
    """Return how to write figures of ``column`` that stand together, the largest of this size."""
    if column.unit is Unit.BYTES:
        return _budget if column.is_chosen else bytes_scale(largest).format
    if column.unit is Unit.SECONDS:
        return seconds_scale(largest).format
    if column.unit is Unit.TIMES_EXACT:
        return format_ratio
    if column.unit is Unit.PROBABILITY:
        return format_p_value
    return _plain if column.kind is int or not column.is_chosen else "{:g}".format


def _budget(count: float) -> str:
    return format_budget(int(count))


def _plain(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return format_measured(value, None) if value != 0 else "0"


def _decimals(value: float, digits: int) -> int:
    """Return the number of decimals of ``value`` when it is written with so many digits."""
    rounded = float(f"{value:.{digits - 1}e}")
    return max(0, digits - 1 - floor(log10(abs(rounded))))


def _phrase(column: str, value: Cell) -> str:
    if column == "memory_budget_bytes" and isinstance(value, int):
        return f"{format_budget(value)} of memory"
    if column == "model":
        return whole_model_words(str(value))
    return said(_PHRASES.get(column, "{}"), value)


def _values(rows: Sequence[Mapping[str, Cell]], name: str) -> list[Cell]:
    # A row that failed early does not know every fact: that is no difference.
    values = dict.fromkeys(row[name] for row in rows)
    return [value for value in values if value is not None]
