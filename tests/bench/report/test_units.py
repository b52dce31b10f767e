"""Figures are written with three significant digits and a unit that fits."""

import pytest

from xconv_bench.report.units import (
    bytes_unit,
    format_bytes,
    format_error,
    format_ratio,
    format_seconds,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (5, "5 B"),
        (2048, "2048 B"),
        (10 * 2**10, "10.0 KiB"),
        (12.5 * 2**20, "12.5 MiB"),
        (3499 * 2**20, "3499 MiB"),
        (10 * 2**30 - 1, "10240 MiB"),
        (20 * 2**30, "20.0 GiB"),
        (2**40, "1024 GiB"),
    ],
)
def test_bytes(count: float, text: str) -> None:
    assert format_bytes(count) == text


def test_figures_that_stand_together_share_the_unit_of_the_largest() -> None:
    unit = bytes_unit(20 * 2**30)
    texts = [unit.format(count) for count in (20 * 2**30, 608 * 2**20, 1000, 0)]
    assert texts == ["20.0 GiB", "0.59 GiB", "<0.01 GiB", "0 GiB"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 µs"),
        (2.5e-6, "2.50 µs"),
        (0.0123, "12.3 ms"),
        (1, "1.00 s"),
        (123.4, "123 s"),
    ],
)
def test_seconds(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.001, "<0.01×"), (0.6433, "0.64×"), (1, "1.00×"), (9.996, "10.0×")]
)
def test_ratios(ratio: float, text: str) -> None:
    assert format_ratio(ratio) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [(0, "0.000"), (0.8344, "0.834"), (12.3, "12.300"), (2e-7, "2.0e-07"), (float("nan"), "nan")],
)
def test_errors(error: float, text: str) -> None:
    assert format_error(error) == text
