"""Verdicts of one line on the tables of each part, complete or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.gpu.settings import JUDGED_PROBES, PRECISIONS, compresses_everything
from benchmarks.gpu.tables import failures, measured, read, tests

MEMORY_GOAL = 0.03
"""Largest distance of allocated from simulated, relative to simulated."""
LAYER_GOAL = 0.9
"""Largest time of a layer over cuDNN's: geometric mean, 32 independent probes and spectral."""
STEP_GOAL = 1.15
"""Largest time of a step that compresses everything over that of an exact one."""
_MIB = 2**20


@dataclass(frozen=True)
class Verdict:
    """A text, and whether a goal was ``met``: None if nothing was measured that could tell."""

    met: bool | None
    text: str

    def __str__(self) -> str:
        word = {True: "met", False: "missed", None: "nothing to judge"}[self.met]
        return f"{word}: {self.text}"


NOTHING = Verdict(None, "nothing was measured")


def of_tests(folder: Path) -> Verdict:
    """Judge tests: met if some passed and none failed."""
    rows = tests(folder)
    if rows.empty:
        return NOTHING
    counts = rows.status.value_counts()
    passed, failed, skipped = (int(counts.get(s, 0)) for s in ("passed", "failed", "skipped"))
    names = [name.rpartition("::")[2] for name in rows.test[rows.status == "failed"]]
    listed = f" ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})" if names else ""
    text = f"{passed} passed, {failed} failed{listed}, {skipped} skipped"
    return Verdict(None if not passed + failed else failed == 0, text)


def of_memory(folder: Path) -> Verdict:
    """Judge memory: met if allocated is within the goal of simulated in every row."""
    rows = measured(folder / "memory.csv")
    if rows.empty:
        return NOTHING
    rows = rows.dropna(subset=["allocated_peak_bytes", "simulated_peak_bytes"])
    if rows.empty:
        return Verdict(None, "no row has both an allocated and a simulated peak")
    ratios = rows.allocated_peak_bytes / rows.simulated_peak_bytes
    within = (ratios - 1).abs() <= MEMORY_GOAL
    worst = rows.loc[(ratios - 1).abs().idxmax()]
    more = (worst.allocated_peak_bytes - worst.simulated_peak_bytes) / _MIB
    text = (
        f"allocated within {MEMORY_GOAL:.0%} of simulated in {int(within.sum())} of {len(rows)} "
        f"rows; furthest off {ratios[worst.name]:.3f}× ({worst.model}, batch {worst.batch_size}, "
        f"{worst.variant}: {more:+.0f} MiB)"
    )
    return Verdict(bool(within.all()), _with(text, failures(folder / "memory.csv")))


def of_max_batch(folder: Path) -> Verdict:
    """Judge largest batches: met if all trained, and exact's is within 1 % of the paper's."""
    from xconv_bench.report.published import published_max_batch
    from xconv_bench.results.schema import TABLES
    from xconv_bench.results.table import Table

    path = folder / "max_batch.csv"
    rows = [row for row in Table(path, TABLES["max_batch"]).rows() if row["status"] == "ok"]
    if not rows:
        return NOTHING
    words, met = [], True
    for row in rows:
        published = published_max_batch(row) if row["method"] == "exact" else None
        size = int(row["max_batch_size"] or 0)
        met &= bool(row["trained_steps"])
        met &= published is None or abs(size / published - 1) <= 0.01
        name = row["method"] if row["compress"] is None else f"xconv {row['compress']}"
        beside = f" (paper {published})" if published else ""
        words.append(f"{row['image_size']} px {name} {size}{beside}")
    return Verdict(met, _with("; ".join(words), failures(path)))


def of_layer_time(folder: Path) -> Verdict:
    """Judge layer times: met if 32 probes, and each scheme without probes, reach the goal.

    They have to reach it in every precision.
    """
    words, met, failed = [], [], ""
    for name in PRECISIONS:
        rows = measured(folder / name / "runtime.csv")
        failed = _with(failed, failures(folder / name / "runtime.csv"))
        if rows.empty or "step_ratio" not in rows:
            continue
        timed = rows.dropna(subset=["step_ratio"])
        for variant, own in timed.groupby("variant", sort=False):
            mean = float(np.exp(np.log(own.step_ratio).mean()))
            words.append(f"{name} {variant} {mean:.2f}×")
            if own.probes.isin([JUDGED_PROBES]).all() or own.probes.isna().all():
                met.append(mean <= LAYER_GOAL)
    if not words:
        return Verdict(None, failed) if failed else NOTHING
    text = f"step over cuDNN's, geometric means: {'; '.join(words)} (goal {LAYER_GOAL})"
    return Verdict(all(met) if met else None, _with(text, failed))


def of_step(folder: Path) -> Verdict:
    """Judge steps: met if a step that compresses everything reaches the goal.

    The goal is open if none was measured.
    """
    rows = measured(folder / "runtime.csv")
    failed = _with(failures(folder / "runtime.csv"), failures(folder / "max_batch.csv"))
    batches = measured(folder / "max_batch.csv")
    if rows.empty and batches.empty:
        return Verdict(None, failed) if failed else NOTHING
    words, met = [], None
    if not rows.empty and "step_ratio" in rows:
        timed = rows.dropna(subset=["step_ratio"])
        words += [f"{row.variant} {row.step_ratio:.2f}×" for row in timed.itertuples()]
        own = timed[
            (timed.method == "xconv") & timed.compress.fillna("").map(compresses_everything)
        ]
        met = bool((own.step_ratio <= STEP_GOAL).all()) if len(own) else None
    text = f"step over exact's: {'; '.join(words)} (goal for everything {STEP_GOAL})"
    if not batches.empty:
        sizes = [f"{row.variant} {row.max_batch_size:.0f}" for row in batches.itertuples()]
        text += f"; largest batch in 16 GiB: {'; '.join(sizes)}"
    return Verdict(met, _with(text, failed))


def of_train(folder: Path) -> Verdict:
    """Judge trainings: met if each came to its end; accuracies are shown and not judged."""
    path = folder / "training.csv"
    rows = read(path)
    if rows.empty:
        return NOTHING
    done = measured(path)
    done = done[done.epoch == done.epochs]
    failed = failures(path)
    if done.empty:
        return Verdict(None, _with("no training has come to its end", failed))
    means = done.groupby("variant", sort=False).accuracy.mean()
    words = [f"{variant} {mean:.4f}" for variant, mean in means.items()]
    epochs = int(done.epochs.max())
    text = f"accuracy after {epochs} epoch{'s' * (epochs > 1)}: {'; '.join(words)}"
    return Verdict(not failed, _with(text, failed))


def _with(text: str, more: str) -> str:
    return "; ".join(part for part in (text, more) if part)
