"""Cells are written as one line and read back as what they were."""

from dataclasses import fields

import pytest

from xconv_bench.configuration import MemoryConfiguration
from xconv_bench.results.columns import (
    FINAL_STATUSES,
    LONGEST_TEXT,
    MEMORY_COLUMNS,
    MEMORY_KEY,
    STATUSES,
    Cell,
    read_cell,
    write_cell,
)


def test_a_row_begins_with_its_configuration() -> None:
    assert MEMORY_COLUMNS[: len(MEMORY_KEY)] == MEMORY_KEY
    assert tuple(field.name for field in fields(MemoryConfiguration)) == MEMORY_KEY
    assert len(set(MEMORY_COLUMNS)) == len(MEMORY_COLUMNS)


def test_bad_luck_is_tried_again() -> None:
    assert set(STATUSES) - FINAL_STATUSES == {"error", "timeout"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("model", "timm:vit, \"tiny\" 'x'"),
        ("scheme", None),
        ("seed", 2**63 + 1),
        ("saved_bytes", 0),
        ("step_seconds", 0.1 + 0.2),
        ("gradient_relative_error", float("inf")),
    ],
    ids=str,
)
def test_a_value_survives(column: str, value: Cell) -> None:
    assert read_cell(column, write_cell(column, value)) == value


def test_values_take_the_type_of_their_column() -> None:
    assert write_cell("saved_bytes", 3.0) == "3"
    assert write_cell("step_seconds", 3) == "3.0"


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("first\n  second\r\n\n", "first second"),
        ("a\u2028b\x0bc", "a b c"),
        ("nul\0", "nul"),
        ("\udcff", r"\udcff"),
        ("", ""),
    ],
    ids=ascii,
)
def test_a_message_becomes_one_line(message: str, line: str) -> None:
    assert write_cell("message", message) == line


def test_a_long_message_is_cut() -> None:
    assert len(write_cell("message", "x" * 10**6)) == LONGEST_TEXT


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError):
        read_cell("probes", "eight")
