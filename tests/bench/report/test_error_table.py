"""The printed errors: the network first, then its layers, and in words what has no figure."""

import io
from typing import Any

import pytest
from gradient_rows import CIFAR_LAYERS, error_row, error_sweep, estimated, exactly

from xconv_bench.report.rows import Beside
from xconv_bench.report.tables import print_table

Rows = list[dict[str, Any]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


def printed(rows: Rows, file: io.StringIO | None = None, **options: Any) -> list[str]:
    file = file or io.StringIO()
    print_table("error", rows, Beside(**options), file)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_the_whole_of_a_small_table() -> None:
    lines = printed(error_sweep(("0", "2"), ("multi",), (64,)))
    assert lines[:12] == [
        "cifar, batch 128, 32 px, float32, cpu, photos, 4096 samples, random weights, "
        "32 seeds of the estimator",
        "",
        "method                        error             saved         cosine       spread"
        "  bias/noise",
        "exact                         exact          14.0 MiB",
        "xconv multi r=64 relu   0.70 ± 0.01  2176 KiB (0.15×)  0.819 ± 0.002  0.70 ± 0.02"
        "       1.02×",
        "",
        "xconv multi relu, layer by layer",
        "",
        "layer        error             saved         cosine       spread  bias/noise",
        "0      0.50 ± 0.01  64.0 KiB (0.03×)  0.894 ± 0.002  0.50 ± 0.01       1.02×",
        "2      1.00 ± 0.02  64.0 KiB (0.03×)  0.707 ± 0.002  1.00 ± 0.03       1.02×",
        "all    0.70 ± 0.01  2176 KiB (0.15×)  0.819 ± 0.002  0.70 ± 0.02       1.02×",
    ]


def test_several_numbers_of_probes_stand_beside_each_other() -> None:
    lines = printed(error_sweep(schemes=("independent",), probes=(8, 512)))
    start = next(i for i, line in enumerate(lines) if line.startswith("layer "))
    assert lines[start].split("  ")[0] == "layer"
    assert "error r=8" in lines[start] and "saved r=512" in lines[start]
    assert "cosine" not in lines[start]
    assert [line.split()[0] for line in lines[start + 1 : start + 6]] == [*CIFAR_LAYERS, "all"]
    assert lines[start + 4].split()[:5] == ["7", "1.06", "±", "0.02", "exact"]


def test_only_the_layers_asked_for_are_shown_and_the_network() -> None:
    lines = printed(error_sweep(schemes=("multi",)), layers=["5"])
    start = next(i for i, line in enumerate(lines) if line.startswith("layer "))
    assert [line.split(" ")[0] for line in lines[start + 1 : start + 4]] == ["5", "all", ""]


def test_the_verdict_is_shown_where_it_is_asked_for() -> None:
    rows = error_sweep(schemes=("multi",), probes=(8,))
    rows[-2] |= {"bias_verdict": "biased", "bias_p_value": 3e-12}
    text = "\n".join(printed(rows, bias_test=True))
    assert "biased  3.0e-12" in text
    assert "unbiased     0.31" in text
    assert "probability 1e-06" in text
    assert "bias test" not in "\n".join(printed(rows))


def test_a_failure_is_words_and_its_message_is_said_once() -> None:
    failure = {"method": "xconv", "scheme": "multi", "status": "oom", "message": "no memory"}
    rows = [*error_sweep(schemes=("independent",), probes=(8, 32))]
    rows += [error_row(probes=probes, **failure) for probes in (8, 32)]
    lines = printed(rows)
    assert any(line.split("  ")[0] == "xconv multi r=32" and "out of memory" in line
               for line in lines)  # fmt: skip
    said = [line for line in lines if "no memory" in line]
    assert said == ["xconv multi r=8 and 1 more: out of memory: no memory"]
    assert "xconv multi, layer by layer" not in lines


def test_failures_alone_are_a_table_too() -> None:
    lines = printed([error_row(status="timeout", message="no end")])
    assert lines[2:6] == ["method      error", "exact   timed out", "", "exact: timed out: no end"]


def test_each_setting_is_held_against_its_own_exact_row() -> None:
    small = error_sweep(("0",), ("multi",), (8,), batch_size=64)
    large = error_sweep(("0",), ("multi",), (8,))
    for row in large:
        row["saved_bytes"] *= 2 if row["method"] == "exact" else 1
    lines = printed([*small, *large])
    titles = [line for line in lines if line.startswith("cifar")]
    assert [title.split(", ")[1] for title in titles] == ["batch 64", "batch 128"]
    networks = [line for line in lines if line.startswith("xconv multi r=8")]
    assert "(0.14×)" in networks[0] and "(0.07×)" in networks[1]


def test_without_an_exact_row_there_are_no_ratios() -> None:
    rows = [row for row in error_sweep() if row["method"] != "exact"]
    assert "×)" not in "\n".join(printed(rows))


def test_rounding_of_the_exact_method_is_shown_layer_by_layer() -> None:
    rows = [exactly(layer, 8) for layer in ("0", "all")]
    assert "exact, layer by layer" not in printed(rows)
    rounded = {"relative_error": 0.0021, "bias_verdict": "unbiased", "dtype": "bfloat16"}
    assert "exact, layer by layer" in printed([row | rounded for row in rows])


def test_a_gradient_of_zero_has_no_relative_figures() -> None:
    nothing = {"relative_error": None, "cosine": None, "relative_spread": None,
               "relative_bias": None, "relative_bias_noise": None, "bias_verdict": ""}  # fmt: skip
    rows = [estimated("multi", 8, layer, 0.5, 8) for layer in ("0", "all")]
    lines = printed([rows[0] | nothing, rows[1]])
    start = next(i for i, line in enumerate(lines) if line.startswith("layer "))
    assert lines[start + 1].split() == ["0", "8", "B"]


def test_a_terminal_is_not_overrun() -> None:
    lines = printed(error_sweep(), Terminal(), bias_test=True)
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("layer ") for line in lines) > 3


def test_without_rows_it_says_so() -> None:
    assert printed([]) == ["Nothing was measured."]
