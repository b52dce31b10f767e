"""Figures are written with three significant digits and a unit that fits."""

import pytest

from xconv_bench.amounts import bytes_scale, format_bytes, format_seconds
from xconv_bench.report.words import (
    format_budget,
    format_error,
    format_measured,
    format_p_value,
    format_ratio,
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
    unit = bytes_scale(20 * 2**30)
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


@pytest.mark.parametrize(
    ("value", "standard_error", "text"),
    [
        (0.41234, 0.0031, "0.412 ± 0.003"),
        (0.495, 0.0099, "0.49 ± 0.01"),
        (0.41234, 1e-5, "0.412 ± <0.001"),
        (0.00512, 2e-5, "0.00512 ± 0.00002"),
        (12.3, 1.4, "12 ± 1"),
        (1234.5, 0.1, "1234 ± <1"),
        (2e-5, 3e-6, "2.0e-05 ± 3e-06"),
        (4e7, 2e6, "4.0e+07 ± 2e+06"),
        (0.5, 30.0, "0 ± 30"),
        (-0.5, 0.01, "-0.50 ± 0.01"),
        (0.41234, None, "0.412"),
        (0.00412, None, "0.00412"),
        (0.9999, None, "1.00"),
        (0.0, 0.0, "0.000"),
        (float("nan"), 0.1, "nan"),
        (0.5, float("nan"), "0.500"),
    ],
)
def test_measured_values_end_where_they_are_not_known(
    value: float, standard_error: float | None, text: str
) -> None:
    assert format_measured(value, standard_error) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(16 * 2**30, "16 GiB"), (500 * 2**20, "500 MiB"), (8 * 10**9, "7629 MiB"), (100, "100 B")],
)
def test_budgets(count: int, text: str) -> None:
    assert format_budget(count) == text


@pytest.mark.parametrize(
    ("probability", "text"), [(1.0, "1.00"), (0.314, "0.31"), (1.2e-4, "1.2e-04"), (0.0, "0.0e+00")]
)
def test_p_values(probability: float, text: str) -> None:
    assert format_p_value(probability) == text
