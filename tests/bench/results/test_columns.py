"""Cells are written as one line and read back as what they were."""

from dataclasses import fields

import pytest

from xconv_bench.configuration import MemoryConfiguration
from xconv_bench.results.column import LONGEST_TEXT, Holds
from xconv_bench.results.columns import (
    COLUMNS,
    FINAL_STATUSES,
    MEMORY_COLUMNS,
    MEMORY_KEY,
    STATUSES,
    Cell,
    larger_is_better,
    read_cell,
    write_cell,
)
from xconv_bench.results.run_directory import TABLES


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
    ("text", "bits"), [("2", 2.0), ("2.0", 2.0), ("0.25", 0.25), ("1", 1.0), ("", None)]
)
def test_bits_are_written_as_one_says_them(text: str, bits: float | None) -> None:
    """Whole numbers as tables had them when there were no others."""
    assert read_cell("bits", text) == bits
    assert write_cell("bits", bits) == text.removesuffix(".0")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("first\n  second\r\n\n", "first second"),
        ("a\u2028b\x0bc", "a b c"),
        ("nul\0", "nul"),
        ("\x1b[31mred\x9b", r"\x1b[31mred\x9b"),
        ("\u202eback", r"\u202eback"),
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


def test_an_integer_that_nothing_can_be_done_with_is_refused() -> None:
    for digits in (301, 5000):
        with pytest.raises(ValueError):
            read_cell("saved_bytes", "9" * digits)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_which_way_is_better(table: str) -> None:
    """It names a direction, or has none for a reason that is told from what it is."""
    names, key = TABLES[table]
    for name in names:
        column = COLUMNS[name]
        assert column.name == name
        has_none = (
            name in key
            or not column.is_number
            or name.endswith(("_se", "_low", "_high", "_noise", "_rate"))
            or name in WITHOUT_A_DIRECTION
        )
        assert (column.better is None) == has_none, name
        assert larger_is_better(name) == (name in MORE_IS_BETTER), name


MORE_IS_BETTER = {
    "max_batch_size", "cosine", "bias_p_value", "accuracy", "classifier_agreement", "psnr_db",
    "ssim", "dice", "iou",
}  # fmt: skip
WITHOUT_A_DIRECTION = {
    # sizes of networks and plans
    "parameters", "convolutions", "weight_elements", "minibatch_count", "rounds", "points",
    "trained_steps", "target_ratio",
    # how well exact gradients are known
    "floor_error",
    # what disturbed a measurement
    "cpu_wait_part",
    # properties of the network and its data, which no method changes
    "exact_saved_bytes", "gradient_norm", "full_gradient_norm",
    "exact_gradient", "estimate", "sampling_variance",
    "rounding_squared_error", "exact_average_gradient_error",
    # of a fitted law
    "exponent", "r_squared",
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_how_far_it_holds(table: str) -> None:
    """Times and what a driver, an allocator or the system reports are of their machine."""
    names, key = TABLES[table]
    of_its_machine = ("allocated_", "reserved_", "nvml_", "rss_", "forward_", "backward_", "step_")
    machine = {
        name for name in names if name.startswith((*of_its_machine, "epoch_seconds", "cpu_wait_"))
    }
    for name in names:
        assert (COLUMNS[name].holds is Holds.ON_ITS_MACHINE) == (name in machine), name
        if COLUMNS[name].better is not None and name not in ("saved_bytes", "simulated_peak_bytes"):
            assert COLUMNS[name].is_of_its_machine("cuda:1"), name
        assert COLUMNS[name].is_of_its_machine("cpu") == (name in machine)
        assert not (name in key and COLUMNS[name].is_of_its_machine("cuda"))
