"""The results of a run on one page of Markdown: a verdict and a table for each part."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.settings import PRECISIONS
from benchmarks.gpu.tables import measured, tests
from benchmarks.gpu.workspaces import UNSEEN

VERDICT = "verdict.txt"
_MIB = 2**20


def summary(folders: Sequence[Path]) -> str:
    """Return the page on ``folders``; a part is taken from the last folder that has it."""
    lines = [_machine(folders), ""]
    for name, part in PARTS.items():
        lines += [f"## {name}: {part.shows}", ""]
        folder = folder_of(name, folders)
        if folder is None:
            lines += ["Not run.", ""]
            continue
        lines += [(folder / VERDICT).read_text().strip(), ""]
        for table in _TABLES[name](folder):
            if not table.empty:
                lines += [markdown(table), ""]
    return "\n".join(lines)


def folder_of(part: str, folders: Sequence[Path]) -> Path | None:
    """Return the folder that has the results of a part, or None."""
    found = [each / part for each in folders if (each / part / VERDICT).is_file()]
    return found[-1] if found else None


def markdown(table: pd.DataFrame) -> str:
    """Return a table in GitHub's Markdown, without its index."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).values.tolist()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def _machine(folders: Sequence[Path]) -> str:
    """Return one line on the card and the software, from the first record of an environment."""
    for folder in reversed(folders):
        for path in sorted(folder.rglob("environment.json")):
            record = json.loads(path.read_text())
            cards = ", ".join(gpu["name"] for gpu in record["gpus"] or [])
            source = record["source"]
            changed = " with changes" if source.get("dirty") else ""
            return (
                f"{cards or 'no GPU'}; torch {record['torch']}, cuDNN {record['cudnn']}, driver "
                f"{record['driver']}, Python {record['python']}, {record['cpu']['cores']} CPU "
                f"cores; revision {(source['revision'] or 'unknown')[:7]}{changed}; "
                f"{record['started'][:10]}."
            )
    return "No measurement has recorded its machine."


def _tests(folder: Path) -> Iterable[pd.DataFrame]:
    rows = tests(folder)
    if not rows.empty:
        yield rows[rows.status != "passed"][["test", "status", "message"]].fillna("")


def _memory(folder: Path) -> Iterable[pd.DataFrame]:
    rows = measured(folder / "memory.csv")
    if not rows.empty:
        peaks = ["simulated", "live", "allocated", "reserved", "nvml_process"]
        table = rows[["model", "batch_size", "variant"]].copy()
        for peak in peaks:
            table[f"{peak} MiB"] = rows[f"{peak}_peak_bytes"].map(_mib)
        ratio = rows.allocated_peak_bytes / rows.simulated_peak_bytes
        table["allocated / simulated"] = ratio.map(_ratio)
        yield table
    parts = measured(folder / "workspaces.csv")
    if not parts.empty:
        unseen = parts[parts.part.isin(UNSEEN)].astype({"operator": object})
        unseen = unseen.fillna({"operator": ""})
        table = unseen[["model", "batch_size", "variant", "part", "operator"]].copy()
        table["MiB"] = unseen.part_bytes.map(_mib)
        yield table


def _max_batch(folder: Path) -> Iterable[pd.DataFrame]:
    rows = measured(folder / "max_batch.csv")
    if not rows.empty:
        table = rows[["model", "image_size", "variant"]].copy()
        table["largest batch"] = rows.max_batch_size.map("{:.0f}".format)
        table["allocated MiB"] = rows.allocated_peak_bytes.map(_mib)
        table["limited by"] = rows.limited_by
        yield table


def _layer_time(folder: Path) -> Iterable[pd.DataFrame]:
    for precision in PRECISIONS:
        yield from _times(folder / precision, precision)


def _times(folder: Path, precision: str = "") -> Iterable[pd.DataFrame]:
    """Yield milliseconds of exact, and ratios of the others to it, a line for each shape."""
    rows = measured(folder / "runtime.csv")
    if rows.empty:
        return
    shape = ["model", "image_size", "batch_size"]
    names = list(dict.fromkeys(rows.variant[rows.method != "exact"]))
    exact = rows[rows.method == "exact"].set_index(shape).step_seconds
    wide = rows.pivot_table("step_ratio", shape, "variant", aggfunc="first", sort=False)
    table = wide.reindex(columns=names).map(_ratio)
    table.insert(0, "exact ms", (exact.reindex(table.index) * 1e3).map("{:.2f}".format))
    table = table.reset_index()
    if precision:
        table.insert(0, "precision", precision)
    yield table


def _step(folder: Path) -> Iterable[pd.DataFrame]:
    for runs in (folder, folder / "compiled"):
        yield from _times(runs)
    yield from _launches(folder)
    yield from _max_batch(folder)


def _launches(folder: Path) -> Iterable[pd.DataFrame]:
    rows = measured(folder / "launches.csv")
    if not rows.empty:
        table = rows[["model", "batch_size", "variant", "launches"]].astype({"launches": int})
        table["GPU busy ms"] = (rows.busy_seconds * 1e3).map("{:.1f}".format)
        table["step ms"] = (rows.step_seconds * 1e3).map("{:.1f}".format)
        yield table


def _train(folder: Path) -> Iterable[pd.DataFrame]:
    rows = measured(folder / "training.csv")
    if not rows.empty:
        last = rows[rows.epoch == rows.epochs]
        table = last[["task", "data", "variant", "seed"]].copy()
        table["accuracy"] = last.accuracy.map("{:.4f}".format)
        table["epoch s"] = last.epoch_seconds.map("{:.2f}".format)
        yield table


def _mib(value: float) -> str:
    return "" if pd.isna(value) else f"{value / _MIB:.0f}"


def _ratio(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}×" if abs(value - 1) < 0.1 else f"{value:.2f}×"


_TABLES: dict[str, Callable[[Path], Iterable[pd.DataFrame]]] = {
    "tests": _tests,
    "memory": _memory,
    "max-batch": _max_batch,
    "layer-time": _layer_time,
    "step": _step,
    "train": _train,
}
