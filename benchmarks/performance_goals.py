"""The goals of speed, what was measured beside them, and why one is missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean as mean_of

import pandas as pd

from benchmarks.growth_fit import exponent

_SMALL = (
    "Python and operators that do not grow with the input: a layer of 16 channels at 14² takes "
    "torch a third of a millisecond in all"
)
_CACHES = "larger tensors leave the processor's caches, as torch's layer shows beside it"
_STEP = "see the table of kinds of work below"
_LAYERS: tuple[tuple[str, float, str], ...] = (
    ("independent", 8, "independent, r = 8"),
    ("independent", 32, "independent, r = 32"),
    ("spectral", 0.5, "spectral, 0.5 bit"),
)
_MEANS = {"independent, r = 8": 0.80, "independent, r = 32": 0.92, "spectral, 0.5 bit": 0.90}
_LARGEST = 1.3
_FAMILY = 1.25
_STEPS = {"paper": ("paper's setting", 0.95), "all": ("everything compressed", 1.15)}
_LINEAR = 1.0
_WHY_MEAN = {
    "independent, r = 8": _SMALL,
    "independent, r = 32": "correlating with 32 probes costs r/C of the exact weight gradient; and "
    + _SMALL,
    "spectral, 0.5 bit": "an exact weight gradient is computed from x̂ as well: there is nothing to "
    "gain from the convolution; transform, rounding and packing come on top, some 2 ns for each "
    "element, half of the exact work at 16 channels; and " + _SMALL,
}
_WHY_FAMILY = {
    "relu": "bits are packed and unpacked beside what is one comparison and one product to torch",
    "pool": "positions of maxima are found and packed beside torch's forward pass",
    "norm": "normalised numbers are rounded and packed in the forward pass, restored in the "
    "backward pass, and summed by torch in passes of its own",
    "act": "slopes of GELU and SiLU are found by torch's backward operators in the forward pass, "
    "and rounding without bias comes on top of operators that read and write memory once",
    "dropout": "the mask is packed and unpacked beside torch's passes",
    "linear": "every number is rounded, packed and restored; the products are torch's",
}


@dataclass(frozen=True)
class Fit:
    """Exponents with standard errors: of time, kept bytes, and the time of torch's layer."""

    dial: str
    scheme: str
    values: str
    time: tuple[float, float]
    kept: tuple[float, float]
    exact: tuple[float, float] | None


def read(folder: Path, name: str, device: str) -> pd.DataFrame:
    """Return the table of a program, without rows if it has not run."""
    path = folder / f"{name}_{device}.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame()


def geometric_mean(ratios: pd.Series) -> float:
    """Return the geometric mean of ``ratios``."""
    return mean_of(ratios.tolist())


def exponents(rows: pd.DataFrame) -> list[Fit]:
    """Return the fits of each dial and scheme, from at least three values."""
    found = []
    for (dial, scheme), some in rows.groupby(["dial", "scheme"], sort=False):
        values = some["value"].tolist()
        if len(values) >= 3:
            own = dial in ("probes", "bits")
            found.append(
                Fit(
                    dial, scheme, f"{values[0]:g}, {values[-1]:g}",
                    exponent(values, some.step_seconds.tolist()),
                    exponent(values, some.kept_bytes.tolist()),
                    None if own else exponent(values, some.exact_step_seconds.tolist()),
                )
            )  # fmt: skip
    return found


def _is_met(figure: float, limit: float) -> bool:
    """Return whether a figure, as it is shown, is within its limit."""
    return round(figure, 2) <= limit


def goals(folder: Path, device: str) -> pd.DataFrame:
    """Return each goal that has been measured: limit, figure, whether it is met, and why not."""
    found = [*_layers(folder, device), *_families(folder, device), *_steps(folder, device)]
    found += _growths(folder, device)
    rows = [
        (goal, f"at most {limit:g}", f"{figure:.2f}", "yes" if _is_met(figure, limit) else "no",
         "" if _is_met(figure, limit) else why)
        for goal, limit, figure, why in found
    ]  # fmt: skip
    columns = ["goal", "limit", "measured", "met", "why not"]
    return pd.DataFrame(rows, columns=columns).set_index("goal")


Judged = tuple[str, float, float, str]
"""A goal in words, its limit, the figure, and the reason that it is missed if it is."""


def _layers(folder: Path, device: str) -> Iterator[Judged]:
    rows = read(folder, "layer_speed", device)
    if "bits" not in rows:
        return
    for scheme, dial, words in _LAYERS:
        own = rows[(rows.scheme == scheme) & (rows.probes.fillna(rows.bits) == dial)]
        if own.empty:
            continue
        ratios = own.ratio_to_exact
        yield f"layer, {words}, mean", _MEANS[words], geometric_mean(ratios), _WHY_MEAN[words]
        if dial != 32:
            yield f"layer, {words}, largest", _LARGEST, ratios.max(), _SMALL


def _families(folder: Path, device: str) -> Iterator[Judged]:
    rows = read(folder, "module_speed", device)
    if not rows.empty:
        for family, some in rows.groupby("family", sort=False):
            figure, why = geometric_mean(some.ratio_to_exact), _WHY_FAMILY[str(family)]
            yield f"modules of {family}, mean", _FAMILY, figure, why


def _steps(folder: Path, device: str) -> Iterator[Judged]:
    rows = read(folder, "step_speed", device)
    for name, (words, limit) in _STEPS.items():
        own = rows[rows.name == name] if not rows.empty else rows
        if not own.empty and own.ratio_to_exact.notna().all():
            model = own.model.iloc[0]
            yield f"step of {model}, {words}", limit, own.ratio_to_exact.iloc[0], _STEP


def _growths(folder: Path, device: str) -> Iterator[Judged]:
    """Yield goals on exponents, each less twice its error: by so much it may be above by chance."""
    rows = read(folder, "growth", device)
    fits = [] if rows.empty else exponents(rows)
    for name, part in (("time", "time"), ("kept bytes", "kept")):
        if fits:
            largest = max(slope - 2 * error for slope, error in (getattr(f, part) for f in fits))
            yield f"growth of {name}, largest exponent less two errors", _LINEAR, largest, _CACHES
