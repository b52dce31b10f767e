"""The holders of the memory, printed: families, the rest summed, the peak and the reasons."""

import io
from typing import Any

from xconv_bench.configuration import Configuration
from xconv_bench.explanation import Explanation, Held, Peak
from xconv_bench.report.tables.explanation import MOST_FAMILIES, print_explanations
from xconv_bench.results.schema.memory import MEMORY

MIB = 2**20
EXACT = Explanation(
    (
        Held("bn1", "BatchNorm2d", "norm", 300 * MIB, "not converted"),
        Held("bn2", "BatchNorm2d", "norm", 100 * MIB, "not converted"),
        Held("conv1", "Conv2d", "conv", 99 * MIB, "not converted"),
        Held("(outside)", "", "loss", MIB, "kept outside of the model"),
    ),
    Peak(800 * MIB, "forward", "the loss", {"weights and buffers": 300 * MIB,
                                            "saved for the backward pass": 500 * MIB}),
)  # fmt: skip
SMALLER = Explanation(
    (Held("bn1", "XBatchNorm2d", "norm", 50 * MIB, "normalised input in 4 bits an element"),),
    None,
)


def row(method: str, **columns: Any) -> dict[str, Any]:
    cell = Configuration("resnet50", method, batch_size=64)
    return {**dict.fromkeys(MEMORY.names), **cell.key, "status": "ok", **columns}


def printed(*explained: tuple[dict[str, Any], Explanation | str]) -> list[str]:
    file = io.StringIO()
    print_explanations(explained, file)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_families_and_the_peak() -> None:
    lines = printed((row("exact"), EXACT))
    assert lines[lines.index("what holds your memory: exact") :][:14] == [
        "what holds your memory: exact",
        "",
        "kept by         modules     saved  share  largest",
        "normalisations        2   400 MiB   80 %  bn1, 300 MiB",
        "convolutions          1  99.0 MiB   20 %  conv1, 99.0 MiB",
        "the loss              1  1.00 MiB   <1 %",
        "together              4   500 MiB  100 %",
        "",
        "at the peak, in the forward pass, in the loss    bytes  share",
        "saved for the backward pass                    500 MiB   62 %",
        "weights and buffers                            300 MiB   38 %",
        "together                                       800 MiB  100 %",
        "",
        "saved    what autograd keeps between forward and backward; what several modules share "
        "counts once, for the first that saved it; in brackets the ratio to exact",
    ]


def test_ratios_to_exact_and_reasons() -> None:
    lines = printed((row("exact"), EXACT), (row("checkpoint"), SMALLER))
    assert "normalisations        1  50.0 MiB (0.12×)  100 %  bn1, 50.0 MiB  " \
        "normalised input in 4 bits an element" in lines  # fmt: skip
    assert "together              1  50.0 MiB (0.10×)  100 %" in lines
    assert sum(line.startswith("at the peak") for line in lines) == 1


def test_the_rest_is_summed() -> None:
    held = tuple(
        Held(str(n), "Module", f"family{n}", (20 - n) * MIB, "not converted") for n in range(9)
    )
    lines = printed((row("exact"), Explanation(held, None)))
    start = next(n for n, line in enumerate(lines) if line.startswith("kept by"))
    assert len(lines[start + 1 : lines.index("", start)]) == MOST_FAMILIES + 2
    assert lines[start + MOST_FAMILIES + 1].split()[:4] == ["all", "others", "3", "39.0"]


def test_one_more_is_not_summed() -> None:
    held = tuple(
        Held(str(n), "Module", f"family{n}", (20 - n) * MIB, "not converted")
        for n in range(MOST_FAMILIES + 1)
    )
    lines = printed((row("exact"), Explanation(held, None)))
    assert any(line.startswith(f"family{MOST_FAMILIES}") for line in lines)


def test_what_the_allocator_takes_beyond() -> None:
    lines = printed((row("exact", allocated_peak_bytes=850 * MIB), EXACT))
    assert (
        "torch's allocator took 50.0 MiB more: workspaces inside of kernels, and rounding" in lines
    )


def test_what_is_not_known() -> None:
    lines = printed((row("exact"), "the network is compiled"))
    assert lines[-1] == "what holds the memory of exact is not known: the network is compiled"
    assert not any(line.startswith("kept by") for line in lines)


def test_nothing_is_saved() -> None:
    assert any(
        "Nothing is saved" in line for line in printed((row("exact"), Explanation((), None)))
    )


def test_settings_are_told_apart() -> None:
    lines = printed((row("exact"), EXACT), (row("exact", batch_size=1), SMALLER))
    assert "what holds your memory: batch 1: exact" in lines
    assert not any("×" in line for line in lines if line.startswith("normalisations"))


def test_nothing_to_print() -> None:
    assert printed() == []
