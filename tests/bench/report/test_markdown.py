"""The report as a comment."""

from pathlib import Path

from run_directories import MEMORY, XCONV, make_run, memory_row

from xconv_bench.report.page.markdown import markdown_of
from xconv_bench.results.recorded import read_runs


def markdown(*runs: Path) -> str:
    return markdown_of(*read_runs(runs))


def test_one_run(tmp_path: Path) -> None:
    lines = markdown(make_run(tmp_path / "run", memory=[*MEMORY, memory_row(None, model="vgg11")]))
    heading, verdict, failure, summary, *_ = lines.split("\n\n")
    assert heading == "## xconv-bench: run"
    assert "**xconv multi r=8 conv**: 0.75× the memory of exact (300 MiB of 400 MiB)" in verdict
    assert "vgg11 at batch 32, 224 px, on cpu: nothing was measured (1 out of memory)" in failure
    assert summary.startswith("- **Memory of a training step**: 3 rows")
    assert "| setting | method | live peak | step |" in lines
    assert "| xconv multi r=8 conv | 300 MiB (0.75×) | 500 ms (1.00×) |" in lines
    assert "| exact | out of memory |  |" in lines
    assert "Compared" not in lines


def test_several_runs(tmp_path: Path) -> None:
    later = [memory_row(400), memory_row(150, **XCONV)]
    runs = [make_run(tmp_path / n, memory=rows) for n, rows in (("a", MEMORY), ("b", later))]
    text = markdown(*runs)
    assert (
        "| memory | resnet50 | xconv multi r=8 conv | live peak | 300 MiB | 150 MiB (0.50×) |"
        in text
    )
    assert text.index("### Compared with a") < text.index("### Memory of a training step")
    assert "The environments differ in nothing." in text


def test_names_are_text(tmp_path: Path) -> None:
    rows = [{**row, "model": "<script>|`x`*y*@who [a](b) a_b _c_"} for row in MEMORY]
    text = markdown(make_run(tmp_path / "run", memory=rows))
    assert r"&lt;script>\|\`x\`\*y\*&#64;who \[a\](b) a_b \_c\_" in text
    assert "<script>" not in text and "@who" not in text


def test_it_stays_short(tmp_path: Path) -> None:
    rows = [memory_row(100, model=f"net{number}") for number in range(2_000)]
    text = markdown(make_run(tmp_path / "run", memory=rows))
    assert "The first 20 of 2,000 rows." in text
    assert len(text) < 20_000
