"""Amounts of bytes and seconds as people write them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A unit of ``size`` bytes or seconds, used for values of at least ``smallest`` of those."""

    name: str
    size: float
    smallest: float
    decimals: int = 2

    def format(self, value: float) -> str:
        """Return ``value``, in bytes or seconds, as a number of this unit and its name."""
        return f"{number(value / self.size, self.decimals)} {self.name}"


# 3499 MiB reads better than 3.42 GiB; a unit takes over where its number has two digits. The
# memory of GPUs, and of batches that just fit, is compared in MiB, as NVIDIA's own tools print it.
_BYTES = (
    Scale("GiB", 2**30, 20 * 2**30),
    Scale("MiB", 2**20, 10 * 2**20),
    Scale("KiB", 2**10, 10 * 2**10),
    Scale("B", 1, 0, decimals=0),
)
WHOLE_BYTES = _BYTES[:2]
"""The units for amounts that people choose."""

_SECONDS = (Scale("s", 1, 1), Scale("ms", 1e-3, 1e-3), Scale("µs", 1e-6, 0))


def bytes_scale(largest: float) -> Scale:
    """Return the unit for figures of which the largest is ``largest`` bytes."""
    return _fitting(_BYTES, largest)


def seconds_scale(largest: float) -> Scale:
    """Return the unit for figures of which the largest is ``largest`` seconds."""
    return _fitting(_SECONDS, largest)


def format_bytes(count: float) -> str:
    """Return bytes as people write them.

    >>> format_bytes(3499 * 2**20), format_bytes(15083 * 2**20), format_bytes(512)
    ('3499 MiB', '15083 MiB', '512 B')
    """
    return bytes_scale(count).format(count)


def format_seconds(seconds: float) -> str:
    """Return seconds as people write them.

    >>> format_seconds(1.5), format_seconds(0.0123)
    ('1.50 s', '12.3 ms')
    """
    return seconds_scale(seconds).format(seconds)


def _fitting(units: tuple[Scale, ...], largest: float) -> Scale:
    return next((unit for unit in units if largest >= unit.smallest), units[-1])


def number(value: float, most_decimals: int = 2) -> str:
    """Return three significant digits, no more than ``most_decimals`` after the point.

    >>> [number(value) for value in (0, 0.004, 0.5, 9.996, 99.96, 1234.5, float("nan"))]
    ['0', '<0.01', '0.50', '10.0', '100', '1234', 'nan']
    """
    if value == 0:
        return "0"
    if 0 < value < 0.005:
        return "<0.01"
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{min(decimals, most_decimals)}f}"
