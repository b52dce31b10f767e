"""The project's own thresholds (profiles/ci.toml) stop what they are there to stop.

Some rows of the committed baseline are measured again in this process: as the code is, and with a
change for the worse made to it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from heard import outcome_of
from torch import Tensor

from xconv import estimator
from xconv.estimator import SketchedConvolution
from xconv.saved import relu
from xconv_bench.configuration import ErrorConfiguration, MemoryConfiguration
from xconv_bench.data.sources import DataOptions
from xconv_bench.measurement.comparison import Start
from xconv_bench.measurement.error import ErrorMeasurement
from xconv_bench.measurement.simulated import COUNT, simulate
from xconv_bench.profiles import find_profile, read_profile
from xconv_bench.results.reading import read_tables
from xconv_bench.results.table import Row
from xconv_bench.thresholds.baseline import Baseline
from xconv_bench.thresholds.verdict import Verdict, judge

PROFILE = read_profile(find_profile("ci"))
assert PROFILE.baseline is not None
BASELINE = Baseline(PROFILE.baseline)
KEPT = read_tables(PROFILE.baseline, ("memory", "error"))

Verdicts = list[Verdict]


def cell_of(row: Row, kind: type) -> Any:
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return kind(**{name: row[name] for name in names})


def memory() -> dict[str, list[Row]]:
    """Exact and xconv of SqueezeNet, simulated."""
    rows = []
    for kept in KEPT["memory"]:
        is_shown = kept["scheme"] in (None, "independent") and kept["compress"] != "conv"
        if kept["model"] == "squeezenet1_0" and kept["method"] in ("exact", "xconv") and is_shown:
            cell = cell_of(kept, MemoryConfiguration)
            readings = simulate(cell)
            del readings[COUNT]
            rows.append({**dict.fromkeys(kept), **cell.key, "status": "ok", **readings})
    assert len(rows) == 2
    return {"memory": rows}


def error(probes: int) -> dict[str, list[Row]]:
    """Independent probes of the CIFAR network."""
    (kept,) = [
        row
        for row in KEPT["error"]
        if (row["scheme"], row["probes"], row["layer"]) == ("independent", probes, "all")
    ]
    cell = cell_of(kept, ErrorConfiguration)
    start = Start(DataOptions("synthetic", cell.samples), None)
    whole = outcome_of(ErrorMeasurement(cell, start)).rows["error"][-1]
    return {"error": [{**dict.fromkeys(kept), **cell.key, "status": "ok", **whole}]}


def judged(rows: Mapping[str, list[Row]]) -> Verdicts:
    """Verdicts on these rows by the thresholds of the profile that select any of them."""
    limits = [limit for limit in PROFILE.limits if limit.table in rows]
    verdicts = judge(limits, rows.__getitem__, None, BASELINE)
    return [verdict for verdict in verdicts if verdict.row is not None]


def failing(verdicts: Verdicts) -> set[str]:
    return {verdict.limit.metric for verdict in verdicts if verdict.outcome == "fail"}


def test_the_code_as_it_is_passes() -> None:
    verdicts = [*judged(memory()), *judged(error(32)), *judged(error(512))]
    assert len(verdicts) > 12
    assert failing(verdicts) == set(), [str(v.limit) for v in verdicts if v.outcome == "fail"]


def test_a_mask_in_bytes_instead_of_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relu, "packed_size", lambda count: count)
    monkeypatch.setattr(relu, "pack", lambda mask: mask.to(torch.uint8))
    monkeypatch.setattr(relu, "unpack", lambda packed, count: packed[:count].bool())
    assert failing(judged(memory())) == {"simulated_peak_bytes", "saved_bytes"}


def test_an_input_that_is_kept_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = SketchedConvolution.forward

    def keeps(ctx: Any, input: Tensor, *others: Any) -> Tensor:
        ctx.kept = input
        return forward(ctx, input, *others)

    monkeypatch.setattr(SketchedConvolution, "forward", staticmethod(keeps))
    assert "simulated_peak_bytes" in failing(judged(memory()))


def scaled(estimate: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A tenth too small: its error is smaller, too."""
    return lambda *arguments: 0.9 * estimate(*arguments)


def rolled(keep: Callable[..., tuple[Tensor, ...]]) -> Callable[..., tuple[Tensor, ...]]:
    """Keep the flattened image moved by a pixel, which wraps rows, as published code once did."""

    def kept(input: Tensor, *others: Any) -> tuple[Tensor, ...]:
        moved = input.flatten(2).roll(1, dims=2).view(input.shape)
        return keep(moved, *others)

    return kept


def test_a_biased_estimator_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator, "estimate_gradient", scaled(estimator.estimate_gradient))
    assert "relative_error" in failing(judged(error(32)))


def test_a_biased_estimator_whose_probes_are_a_pixel_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator, "keep", rolled(estimator.keep))
    assert {"bias_p_value", "relative_bias", "relative_error"} <= failing(judged(error(512)))


def test_the_thresholds_name_what_they_are_about() -> None:
    """Each of them selects rows of the baseline: none of them watches over nothing."""
    tables = read_tables(PROFILE.baseline or Path(), {limit.table for limit in PROFILE.limits})
    verdicts = judge(PROFILE.limits, tables.__getitem__, None, BASELINE)
    assert {verdict.outcome for verdict in verdicts} == {"pass"}
