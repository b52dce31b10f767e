"""Cells are written as one line and read back as what they were."""

from dataclasses import fields

import pytest

from xconv_bench.configuration import MemoryConfiguration
from xconv_bench.report.words import STATUS_WORDS
from xconv_bench.results.schema import COLUMNS, TABLES, Cell
from xconv_bench.results.schema.column import LONGEST_TEXT, Better, Holds
from xconv_bench.results.statuses import FINAL_STATUSES


def test_a_row_begins_with_its_configuration() -> None:
    memory = TABLES["memory"]
    assert memory.names[: len(memory.key)] == memory.key
    assert tuple(field.name for field in fields(MemoryConfiguration)) == memory.key


@pytest.mark.parametrize("table", TABLES)
def test_no_table_has_a_column_twice(table: str) -> None:
    assert len(set(TABLES[table].names)) == len(TABLES[table].names)


def test_bad_luck_is_tried_again() -> None:
    assert STATUS_WORDS.keys() - FINAL_STATUSES == {"error", "timeout"}


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
    assert COLUMNS[column].read(COLUMNS[column].write(value)) == value


def test_values_take_the_type_of_their_column() -> None:
    assert COLUMNS["saved_bytes"].write(3.0) == "3"
    assert COLUMNS["step_seconds"].write(3) == "3.0"


@pytest.mark.parametrize(
    ("text", "bits"), [("2", 2.0), ("2.0", 2.0), ("0.25", 0.25), ("1", 1.0), ("", None)]
)
def test_bits_are_written_as_one_says_them(text: str, bits: float | None) -> None:
    """Whole numbers as tables had them when there were no others."""
    assert COLUMNS["bits"].read(text) == bits
    assert COLUMNS["bits"].write(bits) == text.removesuffix(".0")


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
    assert COLUMNS["message"].write(message) == line


def test_a_long_message_is_cut() -> None:
    assert len(COLUMNS["message"].write("x" * 10**6)) == LONGEST_TEXT


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError):
        COLUMNS["probes"].read("eight")


def test_an_integer_that_nothing_can_be_done_with_is_refused() -> None:
    for digits in (301, 5000):
        with pytest.raises(ValueError):
            COLUMNS["saved_bytes"].read("9" * digits)


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_which_way_is_better(table: str) -> None:
    """It names a direction, or has none for a reason that is told from what it is."""
    for column in TABLES[table].columns:
        name = column.name
        has_none = (
            name in TABLES[table].key
            or not column.is_number
            or name.endswith(("_se", "_low", "_high", "_noise", "_rate"))
            or name in WITHOUT_A_DIRECTION
        )
        assert (column.better is None) == has_none, name
        assert (column.better is Better.MORE) == (name in MORE_IS_BETTER), name


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
    of_its_machine = ("allocated_", "reserved_", "nvml_", "rss_", "forward_", "backward_", "step_")
    for column in TABLES[table].columns:
        name = column.name
        is_machines = name.startswith((*of_its_machine, "epoch_seconds", "cpu_wait_"))
        assert (column.holds is Holds.ON_ITS_MACHINE) == is_machines, name
        if column.better is not None and name not in ("saved_bytes", "simulated_peak_bytes"):
            assert column.is_of_its_machine("cuda:1"), name
        assert column.is_of_its_machine("cpu") == is_machines
        assert not (name in TABLES[table].key and column.is_of_its_machine("cuda"))
