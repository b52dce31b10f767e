"""The driver's count stands beside the allocator's where it was measured at the same moments."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xconv_bench.configuration import Configuration
from xconv_bench.events import Progress
from xconv_bench.experiments.layers import measure_layers
from xconv_bench.launch import Launcher, Outcome
from xconv_bench.measurement.layers import LayersMeasurement
from xconv_bench.results.run_directory import RunDirectory
from xconv_bench.results.table import Row

CELL = Configuration("net", device="cuda")
ROWS = [{"position": n, "phase": "forward", "layer": str(n), "layer_bytes": n} for n in range(3)]


class Gpu(Launcher):
    def __init__(self, uncached: Outcome) -> None:
        self.uncached = uncached
        self.works: list[str] = []

    def run(self, work: Any, listener: Callable[[Any], None] = lambda _: None) -> Outcome:
        self.works.append(type(work).__name__)
        if isinstance(work, LayersMeasurement):
            return Outcome(message="said", rows={"layers": [dict(row) for row in ROWS]})
        return self.uncached


class Silent:
    def started(self, configuration: Configuration) -> None:
        pass

    def progressed(self, configuration: Configuration, progress: Progress) -> None:
        pass

    def finished(self, configuration: Configuration, row: dict[str, Any], known: bool) -> None:
        pass


def measure(folder: Path, uncached: Outcome) -> tuple[Gpu, list[Row]]:
    gpu = Gpu(uncached)
    with RunDirectory("layers", "net", folder) as run:
        return gpu, measure_layers([CELL], run.table("layers"), gpu, Silent())


def test_both_counts(tmp_path: Path) -> None:
    _, rows = measure(tmp_path, Outcome(readings={"process_bytes": [7, 8, 9]}))
    assert [(r["position"], r["layer_bytes"], r["nvml_process_bytes"]) for r in rows] == [
        (0, 0, 7), (1, 1, 8), (2, 2, 9)
    ]  # fmt: skip
    assert [row["message"] for row in rows] == ["said", None, None]
    gpu, again = measure(tmp_path, Outcome())
    assert gpu.works == [] and again == rows


@pytest.mark.parametrize(
    ("uncached", "message"),
    [
        (Outcome(readings={"process_bytes": [7]}), "said; nvml: the steps differ"),
        (Outcome("error", "no driver"), "said; nvml: no driver"),
    ],
)
def test_without_the_drivers_count(tmp_path: Path, uncached: Outcome, message: str) -> None:
    _, rows = measure(tmp_path, uncached)
    assert {row["nvml_process_bytes"] for row in rows} == {None}
    assert rows[0]["message"] == message
