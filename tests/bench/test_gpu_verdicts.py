"""The conclusions of ``make gpu`` from its tables: complete, cut off and empty ones."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.gpu import launches, missed, verdicts
from benchmarks.gpu.page import summary
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.publish import publish
from benchmarks.gpu.settings import ROOT
from benchmarks.gpu.workspaces import (
    BEFORE,
    INSIDE,
    RETURNED,
    UNSEEN,
    Breakdown,
    Operator,
    Watching,
    at_peak,
)
from xconv_bench.launch import Outcome
from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Table

MIB = 2**20
XCONV = {"method": "xconv", "scheme": "independent", "probes": 32, "distribution": "rademacher",
         "compress": "conv,relu"}  # fmt: skip
EVERYTHING = {**XCONV, "compress": "conv,relu,norm"}
SETTING = {"model": "resnet50", "batch_size": 32, "image_size": 224, "dtype": "float32",
           "device": "cuda", "seed": 0, "status": "ok"}  # fmt: skip


ENVIRONMENT = """
{"gpus": [{"name": "A card"}], "torch": "2.11.0", "cudnn": 91900, "driver": "580", "python": "3.12",
 "cpu": {"cores": 16}, "source": {"revision": "0123456789", "dirty": true},
 "started": "2026-11-27T17:12:24"}
"""


def put(path: Path, *rows: dict[str, Any]) -> None:
    """Rows of a table of the benchmark: of the setting above, where they say nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.stem
    shared = {key: value for key, value in SETTING.items() if key in TABLES[name].names}
    Table(path, TABLES[name]).put(*({**shared, **row} for row in rows))


def memory(allocated: float, **row: Any) -> dict[str, Any]:
    return {"method": "exact", "repeat": 0, "simulated_peak_bytes": 1000 * MIB,
            "live_peak_bytes": 1000 * MIB, "reserved_peak_bytes": 1200 * MIB,
            "allocated_peak_bytes": int(allocated * MIB), **row}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_nothing_is_concluded_from_nothing(name: str, tmp_path: Path) -> None:
    for _ in range(2):
        verdict = PARTS[name].verdict(tmp_path)
        assert str(verdict) == "nothing to judge: nothing was measured"
        for table in PARTS[name].tables:
            (tmp_path / table).parent.mkdir(exist_ok=True)
            (tmp_path / table).with_suffix(".csv").touch()


def test_memory_within_the_goal_and_beyond(tmp_path: Path) -> None:
    put(tmp_path / "memory.csv", memory(1029), memory(971, **XCONV))
    assert verdicts.of_memory(tmp_path).met is True
    put(tmp_path / "memory.csv", memory(1084.5, batch_size=2, **XCONV))
    verdict = verdicts.of_memory(tmp_path)
    assert verdict.met is False
    assert verdict.text == (
        "allocated within 3% of simulated in 2 of 3 rows; furthest off 1.085× (resnet50, batch 2, "
        "xconv independent r=32 conv,relu: +84 MiB)"
    )
    put(tmp_path / "memory.csv", {"method": "offload", "repeat": 0, "status": "error"})
    assert verdicts.of_memory(tmp_path).text.endswith("; 1 error")


def test_max_batch_beside_the_paper(tmp_path: Path) -> None:
    found = {"model": "squeezenet1_0", "image_size": 256, "memory_budget_bytes": 16 * 2**30,
             "headroom": 0.92, "most": 65536, "trained_steps": 10}  # fmt: skip
    put(tmp_path / "max_batch.csv", {**found, "method": "exact", "max_batch_size": 324})
    put(tmp_path / "max_batch.csv", {**found, **XCONV, "max_batch_size": 713})
    verdict = verdicts.of_max_batch(tmp_path)
    assert verdict == verdicts.Verdict(
        True, "256 px exact 324 (paper 324); 256 px xconv conv,relu 713"
    )
    put(tmp_path / "max_batch.csv", {**found, "method": "exact", "max_batch_size": 300})
    assert verdicts.of_max_batch(tmp_path).met is False


def runtime(ratio: float | None, **row: Any) -> dict[str, Any]:
    return {"model": "conv:64", "step_seconds": 0.01, "step_ratio": ratio, "rounds": 9, **row}


def test_layer_times_are_judged_by_their_mean(tmp_path: Path) -> None:
    path = tmp_path / "tf32" / "runtime.csv"
    put(path, runtime(None, method="exact"), runtime(0.5, **XCONV))
    put(path, runtime(1.28, image_size=512, **XCONV), runtime(3.0, **{**XCONV, "probes": 8}))
    verdict = verdicts.of_layer_time(tmp_path)
    assert verdict.met is True  # √(0.5 · 1.28) = 0.8; 8 probes are shown, not judged
    assert "tf32 xconv independent r=32 conv,relu 0.80×" in verdict.text
    assert "r=8 conv,relu 3.00×" in verdict.text
    put(path, runtime(2.0, **{**XCONV, "scheme": "spectral", "probes": None, "bits": 1}))
    assert verdicts.of_layer_time(tmp_path).met is False


def test_a_step_is_judged_where_everything_is_compressed(tmp_path: Path) -> None:
    put(tmp_path / "runtime.csv", runtime(None, method="exact"), runtime(5.0, **XCONV))
    assert verdicts.of_step(tmp_path).met is None
    put(tmp_path / "runtime.csv", runtime(1.1, **EVERYTHING))
    assert verdicts.of_step(tmp_path).met is True
    put(tmp_path / "runtime.csv", runtime(1.3, **EVERYTHING))
    put(tmp_path / "max_batch.csv", {"method": "exact", "max_batch_size": 190})
    verdict = verdicts.of_step(tmp_path)
    assert verdict.met is False
    assert verdict.text.endswith("; largest batch in 16 GiB: exact 190")


def test_a_training_counts_at_its_end(tmp_path: Path) -> None:
    cell = {"task": "classification", "data": "digits", "epochs": 2, "accuracy": 0.9}
    path = tmp_path / "training.csv"
    put(path, {"method": "exact", **cell, "epoch": 1})
    assert verdicts.of_train(tmp_path).text == "no training has come to its end"
    put(path, {"method": "exact", **cell, "epoch": 2}, {**XCONV, **cell, "epoch": 2, "seed": 1})
    assert verdicts.of_train(tmp_path) == verdicts.Verdict(
        True,
        "accuracy after 2 epochs: exact 0.9000; xconv independent r=32 conv,relu 0.9000",
    )


def test_what_an_operator_takes_for_itself_is_told_from_what_it_returns() -> None:
    """A workspace lives beside the result, the peak is at that moment; then all is freed."""
    kib = 1024
    events = [
        {"action": "alloc", "addr": 1, "size": 4 * kib},
        {"action": "segment_alloc", "addr": 9, "size": 99 * kib},
        {"action": "oom", "device_free": 0, "size": 99 * kib},
        {"action": "free_requested", "addr": 7, "size": kib},
        {"action": "alloc", "addr": 2, "size": 8 * kib - 100},
        {"action": "alloc", "addr": 3, "size": 16 * kib},
        {"action": "free_requested", "addr": 2, "size": 8 * kib - 100},
        {"action": "free_completed", "addr": 2, "size": 8 * kib - 100},
        {"action": "alloc", "addr": 2, "size": 7 * kib},
    ]
    convolution = Operator("aten.convolution.default", 1, 3, frozenset({3}))
    parts = at_peak(events, [convolution], start_bytes=2 * kib)
    assert parts == Counter({
        (BEFORE, ""): kib, (RETURNED, ""): 20 * kib,
        (INSIDE, "aten.convolution.default"): 8 * kib,
    })  # fmt: skip


def test_operators_are_watched_forward_and_backward() -> None:
    layer, x = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 8, 8)
    ticks = iter(range(1000))
    watching = Watching(lambda: next(ticks))
    with watching:
        output = layer(x)
        output.sum().backward()
    names = [operator.name for operator in watching.operators]
    assert "aten.convolution.default" in names and "aten.convolution_backward.default" in names
    convolution = watching.operators[names.index("aten.convolution.default")]
    assert output.untyped_storage().data_ptr() in convolution.returned
    assert (convolution.first, convolution.behind) == (0, 1)


def test_missed_rows_are_taken_apart_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "memory.csv", memory(1010), memory(1100, **XCONV), memory(1050, batch_size=2))
    taken = []

    def run(self: Any, task: Breakdown, **_: Any) -> Outcome:
        taken.append(task.configuration)
        if task.configuration.method == "exact":
            return Outcome("oom", "out of memory")
        return Outcome(readings={"parts": [(RETURNED, "", 9 * MIB), (UNSEEN[0], "", MIB)]})

    monkeypatch.setattr("benchmarks.gpu.missed.Launcher.run", run)
    assert missed.main([str(tmp_path)]) == 1
    assert [(cell.method, cell.batch_size) for cell in taken] == [("xconv", 32), ("exact", 2)]
    assert taken[0].probes == 32 and taken[0].keep is None
    assert missed.main([str(tmp_path)]) == 0 and len(taken) == 2
    (tmp_path / "memory").mkdir()
    for name in ("memory.csv", "workspaces.csv"):
        (tmp_path / name).rename(tmp_path / "memory" / name)
    (tmp_path / "memory" / "verdict.txt").write_text("missed: for a test")
    page = summary([tmp_path])
    assert "| resnet50 | 32 | xconv independent r=32 conv,relu | kept by libraries |  | 1 |" in page
    assert "| 1.10× |" in page and RETURNED not in page


def test_launches_are_a_row_for_each_way_and_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(self: Any, task: launches.Launches, **_: Any) -> Outcome:
        if task.configuration.scheme == "spectral":
            return Outcome("oom", "out of memory")
        return Outcome(readings={"step_seconds": 0.1, "launches": 700, "busy_seconds": 0.0125})

    monkeypatch.setattr("benchmarks.gpu.launches.Launcher.run", run)
    assert launches.main([str(tmp_path / "step")]) == 1
    (tmp_path / "step" / "verdict.txt").write_text("met: for a test")
    page = summary([tmp_path])
    for variant in ("exact", "xconv independent r=8 conv,relu"):
        assert f"| resnet50 | 64 | {variant} | 700 | 12.5 | 100.0 |" in page
    assert "spectral" not in page


REAL = {
    "memory": ["memory", "--model", "paper/cifar", "--batch-size", 2, "--device", "cpu",
               "--scheme", "independent"],
    "max-batch": ["max-batch", "--model", "paper/cifar", "--max", 2, "--no-cross-check",
                  "--scheme", "independent"],
    "layer-time/tf32": ["runtime", "--model", "conv:8", "--image-size", 16, "--batch-size", 2,
                        "--rounds", 3, "--probes", 8, "--device", "cpu", "--scheme", "independent"],
}  # fmt: skip


def test_the_page_shows_what_the_real_commands_write(command: Any, tmp_path: Path) -> None:
    """The same commands, small and on a CPU: each column that the page asks for is there."""
    for name, words in REAL.items():
        assert command(*words, "--output", tmp_path / name).code == 0
        part = name.partition("/")[0]
        verdict = PARTS[part].verdict(tmp_path / part)
        (tmp_path / part / "verdict.txt").write_text(f"{verdict}\n")
        assert "nothing was measured" not in verdict.text
    page = summary([tmp_path])
    assert page.startswith("no GPU; torch ")
    sections = {text.partition(":")[0]: text for text in page.split("\n## ")}
    for name in PARTS:
        if name in ("tests", "step", "train"):
            assert "Not run." in sections[name]
        else:
            assert "xconv independent r=8" in sections[name]
            assert sections[name].count("\n| ") > 2


def test_the_page_shows_steps_and_trainings(tmp_path: Path) -> None:
    put(tmp_path / "step" / "runtime.csv", runtime(None, method="exact"), runtime(1.5, **XCONV))
    put(tmp_path / "step" / "max_batch.csv", {"method": "offload", "max_batch_size": 7})
    ended = {"task": "classification", "data": "digits", "epochs": 1, "epoch": 1}
    done = {**ended, "method": "exact", "accuracy": 0.95, "epoch_seconds": 0.5}
    put(tmp_path / "train" / "training.csv", done)
    for name in ("step", "train"):
        (tmp_path / name / "verdict.txt").write_text("met: for a test")
    page = summary([tmp_path])
    assert "| conv:64 | 224 | 32 | 10.00 | 1.50× |" in page
    assert "| resnet50 | 224 | offload | 7 |" in page
    assert "| classification | digits | exact | 0 | 0.9500 | 0.50 |" in page


def test_a_part_is_taken_from_the_last_run_that_has_it(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}" / "tests").mkdir(parents=True)
        (tmp_path / f"{number}" / "tests" / "verdict.txt").write_text(f"met: run {number}")
    (tmp_path / "2" / "tests" / "verdict.txt").unlink()
    assert "met: run 1" in summary([tmp_path / "1", tmp_path / "2"])


def test_results_are_published(tmp_path: Path) -> None:
    """Tables of two runs and a page whose other words stay; nothing else of the runs."""
    docs, runs = tmp_path / "docs", [tmp_path / "1", tmp_path / "2"]
    docs.mkdir()
    (docs / "gpu.md").write_text("# Words\n<!-- results -->\nNot yet run.\n<!-- end -->\nmore\n")
    put(runs[0] / "layer-time" / "tf32" / "runtime.csv", runtime(None, method="exact"))
    put(runs[1] / "memory" / "memory.csv", memory(1010))
    (runs[0] / "layer-time" / "tf32" / "environment.json").write_text(ENVIRONMENT)
    for folder in (runs[0] / "layer-time", runs[1] / "memory"):
        (folder / "verdict.txt").write_text("met: for a test")
        (folder / "log.txt").write_text("not kept")
    assert publish(runs, docs) == ["memory", "layer-time"]
    kept = {str(path.relative_to(docs)) for path in docs.rglob("*") if path.is_file()}
    assert kept == {
        "gpu.md", "gpu/memory/memory.csv", "gpu/memory/verdict.txt", "gpu/layer-time/verdict.txt",
        "gpu/layer-time/tf32/runtime.csv",
    }  # fmt: skip
    page = (docs / "gpu.md").read_text()
    assert page.startswith("# Words\n<!-- results -->\nA card; torch 2.11.0, cuDNN 91900, ")
    assert "; revision 0123456 with changes; " in page
    assert page.endswith("<!-- end -->\nmore\n") and "Not yet run" not in page


def test_the_page_has_a_place_for_results() -> None:
    text = (ROOT / "docs" / "gpu.md").read_text()
    assert "<!-- results -->" in text
    for name in PARTS:
        assert f"| `{name}` |" in text
