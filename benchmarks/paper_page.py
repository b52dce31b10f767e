"""Tables of docs/paper.md, made from committed tables and the paper's published figures."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.page import put

PROFILES = Path(__file__).resolve().parents[1] / "profiles/paper"
NOT_RUN = "not run"
SEEDS = 3
"""Trainings that a mean is of, where the page does not say otherwise."""
MIB = 2**20

VANILLANET_BATCHES: Mapping[int, Mapping[str, int]] = {
    64: {"exact": 1027, "r=16": 1543, "r=256": 1239},
    128: {"exact": 223, "r=16": 357, "r=256": 311},
    256: {"exact": 52, "r=16": 81, "r=256": 77},
    512: {"exact": 12, "r=16": 20, "r=256": 9},
}
"""Published largest batches of VanillaNet-10 in 16 GiB, by pixels a side."""
VANILLANET_FORMS: Mapping[str, str] = {
    "evaluating": "normalisations in evaluation mode",
    "wide_stem": "and a first convolution of 5×5",
    "without_series": "and a ReLU in place of each series",
    "byte_masks": "and a byte an element kept of a ReLU",
}
"""The step that each of ``benchmarks/vanillanet_forms.py`` takes."""
PSNR: Mapping[str, tuple[float, float]] = {
    "exact": (28.58, 683.127), "r=32": (25.27, 454.101), "r=64": (26.0, 453.861),
    "r=128": (26.66, 466.976), "r=256": (27.31, 557.364), "r=512": (27.70, 739.961),
    "r=1024": (28.14, 1109.154),
}  # fmt: skip
"""Published PSNR in dB and peak memory in MiB of super-resolution (figure 31a)."""
FRECHET: Mapping[str, tuple[float, ...]] = {
    "exact": (0.045, 0.032, 0.063), "r=32": (0.154, 0.111, 0.117), "r=64": (0.115, 0.052, 0.066),
    "r=128": (0.149, 0.074, 0.075), "r=256": (0.050, 0.053, 0.072),
}  # fmt: skip
"""Published Fréchet distances of generated MNIST digits, three runs (figure 16)."""

WRITTEN: Mapping[str, Callable[[float], str]] = {
    "relative_error": "{:.2g}".format,
    "simulated_peak_bytes": lambda size: f"{size / MIB:.0f} MiB",
}
"""Words for the figures of a column."""


def write_page(page: Path, docs: Path) -> None:
    """Renew what is between ``<!-- NAME -->`` and ``<!-- end -->``; ``docs`` has the tables."""
    text = page.read_text()
    folder = docs / "paper"
    text = put(text, "errors", _errors(folder / "gradient_error/error.csv"))
    text = put(text, "memory", _memory(folder / "peak_memory/memory.csv"))
    text = put(text, "batches", _batches(folder / "vanillanet_max_batch/max_batch.csv"))
    text = put(text, "forms", _forms(folder))
    trained = [
        path
        for path in (
            folder / "quality_against_probes/training.csv", docs / "training/tasks/training.csv"
        )
        if path.exists()
    ]  # fmt: skip
    text = put(text, "psnr", _psnr(trained))
    page.write_text(put(text, "frechet", _frechet(trained)))


def _read(path: Path) -> pd.DataFrame | None:
    """Return the rows that were measured, each with the name of its method; None without any."""
    if not path.exists():
        return None
    table = pd.read_csv(path)
    table = table[table.status == "ok"]
    return table.assign(name=[_name(row) for row in table.to_dict("records")])


def _name(row: Mapping[str, object]) -> str:
    """Return ``exact``, ``r=16``, ``all, spectral 0.5 bits`` or another name of a method."""
    scheme, probes, bits = row["scheme"], row["probes"], row["bits"]
    dial = f"{bits:g} bit{'s' * (bits != 1)}"
    if row["method"] != "xconv":
        return str(row["method"]) if pd.isna(bits) else f"{row['method']} {dial}"
    dial = f"r={probes:.0f}" if pd.notna(probes) else dial
    words = dial if scheme == "independent" else f"{scheme} {dial}"
    return f"all, {words}" if "norm" in str(row["compress"]).split(",") else words


def _place(name: str) -> tuple[int, int]:
    """Return what sorts names: exact, numbers of probes by size, then the others as they come."""
    if name == "exact":
        return 0, 0
    return (1, int(name.removeprefix("r="))) if name.startswith("r=") else (2, 0)


def _planned(profile: str, table: pd.DataFrame | None, column: str) -> pd.DataFrame:
    """Return a line for each network of a profile and a column for each method that was run."""
    lines = {}
    for each in tomllib.loads((PROFILES / f"{profile}.toml").read_text())["experiment"]:
        setting = {name: each[name] for name in ("model", "image-size", "batch-size")}
        words = f"{setting['model']}, {setting['image-size']} px, batch {setting['batch-size']}"
        lines[words] = {} if table is None else _of(table, setting, column)
    columns = [] if table is None else sorted(dict.fromkeys(table.name), key=_place)
    filled = {
        words: {name: line.get(name, NOT_RUN) for name in columns} or {"": NOT_RUN}
        for words, line in lines.items()
    }
    return pd.DataFrame.from_dict(filled, orient="index").rename_axis("network")


def _of(table: pd.DataFrame, setting: Mapping[str, object], column: str) -> dict[str, str]:
    """Return the figures of one setting by method."""
    for name, value in setting.items():
        table = table[table[name.replace("-", "_")] == value]
    return {row["name"]: WRITTEN[column](row[column]) for row in table.to_dict("records")}


def _errors(path: Path) -> pd.DataFrame:
    table = _read(path)
    if table is not None:
        table = table[(table.layer == "all") & (table.method != "exact")]
    return _planned("gradient_error", table, "relative_error")


def _memory(path: Path) -> pd.DataFrame:
    return _planned("peak_memory", _read(path), "simulated_peak_bytes")


def _batches(path: Path) -> pd.DataFrame:
    """Return a line for each image size: batches here, and published."""
    table = _read(path)
    rows = [] if table is None else table.to_dict("records")
    here = {(row["image_size"], row["name"]): row["max_batch_size"] for row in rows}
    lines = {}
    for size, published in VANILLANET_BATCHES.items():
        line = {}
        for name in ("exact", "r=16", "spectral 0.5 bits"):
            found = here.get((size, name))
            line[name] = NOT_RUN if found is None else f"{found:.0f}"
            if name in published:
                line[f"{name}, paper"] = str(published[name])
        lines[f"{size} px"] = line
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("image")


def _forms(folder: Path) -> pd.DataFrame:
    """Return a line for each form of VanillaNet: its largest batches, exactly and with probes."""
    here = _read(folder / "vanillanet_max_batch/max_batch.csv")
    forms = _read(folder / "vanillanet_forms/max_batch.csv")
    tables = {"of this project": here}
    for form, words in VANILLANET_FORMS.items():
        tables[words] = None if forms is None else forms[forms.model.str.endswith(f":{form}")]
    lines = {words: _in_one_line(table) for words, table in tables.items()}
    lines["the paper"] = {
        name: ", ".join(str(batches[name]) for batches in VANILLANET_BATCHES.values())
        for name in VANILLANET_BATCHES[64]
    }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("VanillaNet-10")


def _in_one_line(table: pd.DataFrame | None) -> dict[str, str]:
    """Return the largest batches by method, those of all image sizes in one cell."""
    rows = [] if table is None else table.to_dict("records")
    found = {(row["name"], row["image_size"]): f"{row['max_batch_size']:.0f}" for row in rows}
    lines = {}
    for name in VANILLANET_BATCHES[64]:
        batches = [found.get((name, size), NOT_RUN) for size in VANILLANET_BATCHES]
        lines[name] = ", ".join(batches if set(batches) != {NOT_RUN} else [NOT_RUN])
    return lines


def _finals(paths: Sequence[Path], task: str, column: str, form: str) -> pd.DataFrame:
    """Return the measure after the last epoch, in words, and the peak: means of the seeds.

    A training that several tables have is taken from the first of them.
    """
    table = pd.concat([pd.read_csv(path) for path in paths])
    chosen = table[(table.task == task) & (table.epoch == table.epochs)]
    chosen = chosen.assign(name=[_name(row) for row in chosen.to_dict("records")])
    by_name = chosen.drop_duplicates(["name", "seed"]).groupby("name", sort=False)
    words = [
        form.format(value) + ("" if seeds == SEEDS else f" ({seeds} of {SEEDS} seeds)")
        for value, seeds in zip(by_name[column].mean(), by_name[column].count(), strict=True)
    ]
    return by_name[["simulated_peak_bytes"]].mean().assign(words=words)


def _psnr(paths: Sequence[Path]) -> pd.DataFrame:
    return _beside(
        _finals(paths, "super-resolution", "psnr_db", "{:.2f} dB"),
        {name: f"{psnr:.2f} dB, {peak:.0f} MiB" for name, (psnr, peak) in PSNR.items()},
    )


def _frechet(paths: Sequence[Path]) -> pd.DataFrame:
    return _beside(
        _finals(paths, "generation", "frechet_distance", "{:.1f}"),
        {name: f"{sum(runs) / len(runs):.3f}" for name, runs in FRECHET.items()},
    )


def _beside(finals: pd.DataFrame, published: Mapping[str, str]) -> pd.DataFrame:
    """Return a line for each method: what was measured, its peak, and the published figure."""
    names = sorted(dict.fromkeys([*finals.index, *published]), key=_place)
    peaks = finals.simulated_peak_bytes
    lines = {
        name: {
            "here": finals.words.get(name, NOT_RUN),
            "peak here": f"{peaks[name] / MIB:.1f} MiB" if name in peaks else NOT_RUN,
            "paper": published.get(name, ""),
        }
        for name in names
    }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("method")
