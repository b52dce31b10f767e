"""The programs of ``make bench`` on very little: tables, fits, goals; nothing asserts a time."""

import csv
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
import torch
from native_cases import needs_compiler
from torch.profiler import ProfilerActivity, profile

from benchmarks import growth, module_speed, step_speed
from benchmarks.growth_fit import exponent
from benchmarks.operator_kinds import KERNELS, PYTHON, kernels_recorded, kind_of
from benchmarks.performance_goals import exponents, goals
from xconv import XConv2d
from xconv.native.calling import Library

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of tables beside a copy of the page."""
    text = (ROOT / "docs/performance.md").read_text()
    (tmp_path / "performance.md").write_text(text)
    (tmp_path / "benchmarks").mkdir()
    return tmp_path / "benchmarks"


def page(folder: Path) -> str:
    return (folder.parent / "performance.md").read_text()


def test_modules_stand_on_the_page(folder: Path) -> None:
    few = {"pool": {"AvgPool2d(2)": module_speed.OF_IMAGES["pool"]["AvgPool2d(2)"]}}
    with (
        mock.patch.object(module_speed, "OF_IMAGES", few),
        mock.patch.object(module_speed, "OF_ROWS", {}),
        mock.patch.object(module_speed, "IMAGES", ((1, 2, 8),)),
    ):
        module_speed.main(["--quick", "--folder", str(folder)])
    (row,) = csv.DictReader((folder / "module_speed_cpu.csv").open())
    ratio = float(row["step_seconds"]) / float(row["exact_step_seconds"])
    assert ratio == pytest.approx(float(row["ratio_to_exact"]))
    assert f"| AvgPool2d(2) | pool | {ratio:.2f} |" in page(folder)
    assert f"| modules of pool, mean | at most 1.25 | {ratio:.2f} |" in page(folder)
    assert "`python -m benchmarks.module_speed --quick" in page(folder)


def test_growth_stands_on_the_page(folder: Path) -> None:
    with mock.patch.object(growth, "SIZES", {"batch": (2, 4, 8)}):
        growth.main(["--quick", "--folder", str(folder)])
    rows = pd.read_csv(folder / "growth_cpu.csv")
    assert set(rows.dial) == {"batch", "probes", "bits"}
    kept = rows[(rows.dial == "batch") & (rows.scheme == "quantized")].kept_bytes.tolist()
    assert kept[1] == pytest.approx(2 * kept[0], abs=20)
    assert "| batch | quantized | 2, 8 |" in page(folder)


def test_a_step_is_timed_and_divided(folder: Path) -> None:
    names = mock.patch.object(step_speed, "NAMES", ("exact", "paper"))
    with names, mock.patch.object(step_speed, "WARMUP_STEPS", 1):
        step_speed.main(["--quick", "--folder", str(folder)])
    kinds = pd.read_csv(folder / "step_kinds_cpu.csv")
    assert set(kinds.name) == {"exact", "paper"}
    assert (kinds[kinds.kind == "convolutions"].milliseconds > 0).all()
    assert "random numbers" in set(kinds[kinds.name == "paper"].kind)
    assert "| step of paper/cifar, paper's setting | at most 0.95 |" in page(folder)


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_an_exponent_is_that_of_the_power(power: float) -> None:
    values = [2.0, 4.0, 8.0, 32.0]
    slope, error = exponent(values, [3 * value**power for value in values])
    assert slope == pytest.approx(power) and error == pytest.approx(0, abs=1e-9)
    _, spread = exponent(values, [3.0, 7.0, 11.0, 60.0])
    assert spread > 0.01


def test_kept_bytes_are_what_autograd_keeps() -> None:
    layer, input = XConv2d(4, 4, 3, probes=2), torch.randn(3, 4, 8, 8, requires_grad=True)
    sketch, means, seed = 3 * 4 * 2 * 2, 3 * 4 * 4, 8
    assert growth.kept_bytes(layer, input) == sketch + means + seed


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("aten::mkldnn_convolution", "convolutions"),
        ("aten::bmm", "matrix products"),
        ("aten::matmul", PYTHON),
        ("aten::random_", "random numbers"),
        ("aten::bitwise_and", "bits"),
        ("aten::linalg_qr", "rotations"),
        ("aten::linalg_vector_norm", "sums and ranges"),
        ("aten::native_batch_norm_backward", "norms and pooling"),
        ("aten::view", PYTHON),
        ("SketchedConvolutionBackward", PYTHON),
        ("aten::normal_", "random numbers"),
        (KERNELS, KERNELS),
    ],
)
def test_the_kind_of_an_event(event: str, kind: str) -> None:
    assert kind_of(event) == kind


@needs_compiler
def test_kernels_in_c_are_events() -> None:
    layer, input = XConv2d(4, 4, 3, bits=1), torch.randn(3, 4, 16, 16, requires_grad=True)
    with profile(activities=[ProfilerActivity.CPU]) as record, kernels_recorded():
        layer(input).sum().backward()
    assert KERNELS in {event.key for event in record.key_averages()}
    assert "recorded" not in repr(Library.run)


def test_a_missed_goal_has_a_reason(folder: Path) -> None:
    columns = ["scheme", "probes", "bits", "ratio_to_exact"]
    cells = [("independent", 8, None, 0.5), ("independent", 8, None, 1.4)]
    pd.DataFrame(cells, columns=columns).to_csv(folder / "layer_speed_cpu.csv")
    table = goals(folder, "cpu")
    mean, largest = table.loc["layer, independent, r = 8, mean"], table.iloc[1]
    assert mean.measured == "0.84" and mean.met == "no" and mean["why not"]
    assert (largest.limit, largest.met) == ("at most 1.3", "no")


def test_two_values_have_no_exponent() -> None:
    cells = [("batch", n, "spectral", n, n, n) for n in (1, 2)]
    columns = ["dial", "value", "scheme", "step_seconds", "kept_bytes", "exact_step_seconds"]
    assert not exponents(pd.DataFrame(cells, columns=columns))
