"""The printed variances: the network, its layers with their laws, and the answer at the end."""

import io
from typing import Any

import pytest
from variance_rows import (
    CIFAR_LAYERS,
    Row,
    estimator,
    parted,
    rounded,
    variance_row,
    variance_sweep,
)

from xconv_bench.report.rows import Beside
from xconv_bench.report.tables import print_table
from xconv_bench.report.variance_laws import answers, ratio_words
from xconv_bench.statistics.law import fit_laws

Rows = list[Row]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


def printed(
    rows: Rows, file: io.StringIO | None = None, target: float = 1.0, **options: Any
) -> list[str]:
    file = file or io.StringIO()
    print_table("variance", rows, Beside(fit_laws(rows, target), **options), file)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def layer_lines(lines: list[str]) -> list[str]:
    """The first table of layers, its heading first."""
    start = next(i for i, line in enumerate(lines) if line.startswith("layer "))
    return lines[start : lines.index("", start)]


@pytest.mark.parametrize(
    ("squared_error", "rounding", "words"),
    [
        (0.0, None, "exact"),
        (1e-9, None, "exact"),  # a gradient of norm 2: five parts in a million
        (1e-2, None, "biased alone"),
        (1e-2, 1e-2, "exact"),  # at half precision
        (1e-2, 1e-3, "biased alone"),
    ],
)
def test_without_variance_an_estimate_may_still_be_off(
    squared_error: float, rounding: float | None, words: str
) -> None:
    row = {**parted(0.1, 0.0), "squared_error": squared_error, "rounding_squared_error": rounding}
    assert ratio_words(variance_row(**row)) == words


def test_the_whole_of_a_small_table() -> None:
    lines = printed(variance_sweep(("0", "2"), ("independent",), (16, 64)))
    assert lines[:12] == [
        "cifar, batch 128, 32 px, float32, cpu, photos, 4096 samples, random weights, "
        "10 minibatches, 2 seeds of the estimator",
        "",
        "method                                 ratio             deviation  total/sum"
        "            saved",
        "exact                                                0.177 ± 0.009           "
        "          512 KiB",
        "xconv independent r=16  3.20× (2.56 to 4.00)   0.36 ± 0.02 (2.05×)      1.00×"
        "  512 KiB (1.00×)",
        "xconv independent r=64  0.80× (0.64 to 1.00)   0.24 ± 0.01 (1.34×)      1.00×"
        "  512 KiB (1.00×)",
        "",
        "xconv independent, layer by layer",
        "",
        "layer            ratio r=16            ratio r=64      exponent  r for ≤ 1×",
        "0      1.60× (1.28 to 2.00)  0.40× (0.32 to 0.50)  -1.00 ± 0.10          26",
        "2      3.20× (2.56 to 4.00)  0.80× (0.64 to 1.00)  -1.00 ± 0.10          52",
    ]
    assert lines[-2:] == [
        "",
        "xconv independent: at r=64 the estimator adds 0.80× (0.64 to 1.00) the sampling variance "
        "at batch 128; r ≥ 52 keeps it at 1× or below",
    ]


def test_layers_stand_in_their_order_the_network_last() -> None:
    lines = layer_lines(printed(variance_sweep()))
    assert [line.split()[0] for line in lines[1:]] == [*CIFAR_LAYERS, "all"]
    chosen = layer_lines(printed(variance_sweep(), layers=["5"]))
    assert [line.split()[0] for line in chosen[1:]] == ["5", "all"]


def test_one_number_of_probes_shows_all_figures_of_a_layer() -> None:
    lines = printed(variance_sweep(schemes=("multi",), probes=(64,)))
    assert layer_lines(lines)[0].split() == [
        "layer", "ratio", "deviation", "total/sum", "saved", "r", "for", "≤", "1×",
    ]  # fmt: skip
    assert any("the law 1/r is taken for granted" in line for line in lines)


def test_parts_that_do_not_add_up_are_seen() -> None:
    rows = variance_sweep(schemes=("multi",), probes=(4,))
    rows[-1]["total_variance"] *= 1.5
    assert "1.50×" in next(line for line in printed(rows) if line.startswith("xconv multi r=4"))


def test_at_half_precision_the_error_stands_beside_rounding() -> None:
    rows = rounded(variance_sweep(("0",), ("independent",), (4, 64)), 0.001)
    # 51.2 / 64 · 4 / 128 = 0.025 is 25 times 0.001, its root 5 times.
    assert "5.00×" in next(
        line for line in printed(rows) if line.startswith("xconv") and "64" in line
    )
    assert "error/rounding r=64" in layer_lines(printed(rows))[0]
    assert "error/rounding" not in "\n".join(printed(variance_sweep()))


def test_where_the_gradient_is_exact_it_says_so() -> None:
    rows = variance_sweep(("0",), ("independent",), (4, 64))
    zero = {"estimator_variance": 0.0, "variance_ratio": 0.0, "squared_error": 0.0}
    rows = [row | zero if row["probes"] == 64 and row["layer"] == "0" else row for row in rows]
    lines = printed(rows)
    cells = layer_lines(lines)[1].split()
    assert cells[-2:] == ["exact", "26*"]
    assert any("xconv independent, layer 0: exact from r=64" in line for line in lines)


def test_minibatches_that_do_not_vary_give_no_ratio() -> None:
    rows = variance_sweep(("0",), ("multi",), (4,))
    nothing = {"sampling_variance": 0.0, "variance_ratio": None}
    lines = printed([row | nothing for row in rows])
    assert layer_lines(lines)[1].split()[1] == "∞"
    assert answers([row | nothing for row in rows], []) == []


def test_a_failure_is_words_and_its_message_is_said_once() -> None:
    failure = {"status": "oom", "message": "no memory"}
    rows = variance_sweep(("0",), ("independent",), (4, 16))
    rows += [variance_row(**estimator("multi", probes), **failure) for probes in (4, 16)]
    lines = printed(rows)
    assert any(line.startswith("xconv multi r=16") and "out of memory" in line for line in lines)
    said = [line for line in lines if "no memory" in line]
    assert said == ["xconv multi r=4 and 1 more: out of memory: no memory"]
    assert not any(line.startswith("xconv multi:") for line in lines)


def test_an_answer_for_each_estimator_batch_and_setting() -> None:
    rows = variance_sweep(("0",), ("independent", "multi"), batches=(64, 128))
    rows += variance_sweep(("0",), ("multi",), (1024,), model="other")
    lines = answers(rows, fit_laws(rows))
    assert [line.split(" the ")[0] for line in lines] == [
        "cifar: xconv independent: at r=64",
        "cifar: xconv independent: at r=64",
        "cifar: xconv multi: at r=256",
        "cifar: xconv multi: at r=256",
        "other: xconv multi: at r=1024",
    ]
    assert [line.split("at batch ")[1][:3] for line in lines] == ["64;", "128", "64;", "128", "128"]


def test_the_answer_is_that_of_the_target() -> None:
    rows = variance_sweep(("0",), ("independent",))
    (line,) = answers(rows, fit_laws(rows, 0.2))
    assert "at r=256" in line and line.endswith("r ≥ 256 keeps it at 0.2× or below")
    (line,) = answers(rows, fit_laws(rows, 0.001))
    assert line.endswith("0.001× or below (extrapolated far beyond r=256)")


def test_what_has_no_answer_says_so() -> None:
    rows = variance_sweep(("0",), ("multi",), (4, 16))
    for row in rows:
        row["variance_ratio"] = row["probes"] and float(row["probes"])
    (line,) = answers(rows, fit_laws(rows))
    assert "no number of probes is known to keep it at 1× or below (the variance does not" in line


def test_a_terminal_is_not_overrun() -> None:
    lines = printed(variance_sweep(schemes=("multi",)), Terminal())
    tables = lines[: next(i for i, line in enumerate(lines) if line.startswith("ratio "))]
    assert max(map(len, tables)) <= 80
    assert sum(line.startswith("layer ") for line in tables) > 1


def test_without_rows_it_says_so() -> None:
    assert printed([]) == ["Nothing was measured."]
