"""Tables of docs/performance.md, from the tables that the programs of ``make bench`` write."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.page import put, put_text
from benchmarks.performance_goals import exponents, geometric_mean, goals, read

PAGE = "performance.md"
_NAMES = {"all": "everything compressed", "paper": "the paper's: `conv,relu`, 8 probes"}


def update(folder: Path, device: str, part: str, made: str) -> None:
    """Print a part's table, and put it and the goals on the page beside ``folder``, if any.

    ``made`` is a sentence on how the figures were made. The page is about a CPU.
    """
    table = TABLES[part](folder, device)
    print(table.to_string())
    page = _page(folder, device)
    if page is not None:
        text = put(page.read_text(), part, table)
        page.write_text(put_text(text, f"{part} made", made))
    renew_goals(folder, device)


def renew_goals(folder: Path, device: str) -> None:
    """Put all goals that have been measured on the page beside ``folder``, if any."""
    page = _page(folder, device)
    if page is not None:
        page.write_text(put(page.read_text(), "goals", goals(folder, device)))


def _page(folder: Path, device: str) -> Path | None:
    page = folder.resolve().parent / PAGE
    return page if device == "cpu" and page.exists() else None


def modules(folder: Path, device: str) -> pd.DataFrame:
    """Return ratios of each module over shapes, and the geometric mean of each family."""
    rows = read(folder, "module_speed", device)
    found: list[tuple[str, str, str]] = []
    for family, some in rows.groupby("family", sort=False):
        for name, own in some.groupby("module", sort=False):
            each = ", ".join(f"{ratio:.2f}" for ratio in own.ratio_to_exact)
            found.append((str(name), str(family), each))
        found.append(
            (f"**mean of {family}**", "", f"**{geometric_mean(some.ratio_to_exact):.2f}**")
        )
    return _table("module", ["family", "time over torch's, shape by shape"], found)


def step(folder: Path, device: str) -> pd.DataFrame:
    """Return the time of a step of each method, and the reason where there is none."""
    found = []
    for row in read(folder, "step_speed", device).itertuples(index=False, name="Row"):
        ends = (row.ratio_low, row.ratio_high)
        interval = "–" if any(map(pd.isna, ends)) else " to ".join(map(_ratio, ends))
        figures = (_seconds(row.step_seconds), _ratio(row.ratio_to_exact), interval)
        waited = "–" if pd.isna(row.cpu_wait_part) else f"{row.cpu_wait_part:.0%}"
        reason = row.message if pd.isna(row.step_seconds) else ""
        found.append((_NAMES.get(row.name, row.name), *figures, waited, reason))
    columns = ["step", "over exact", "95 % interval", "waited for cores", "remark"]
    return _table("method", columns, found)


def kinds(folder: Path, device: str) -> pd.DataFrame:
    """Return the milliseconds of each kind of work in a step, by method."""
    rows = read(folder, "step_kinds", device)
    wide = rows.pivot_table(index="kind", columns="name", values="milliseconds", sort=False)
    wide = wide.fillna(0.0)[list(dict.fromkeys(rows.name))]
    wide = wide.loc[wide.max(axis=1).sort_values(ascending=False).index]
    wide.loc["**sum**"] = wide.sum()
    wide.index.name, wide.columns.name = "ms of a step", None
    return wide.map(lambda milliseconds: f"{milliseconds:.1f}")


def compiled(folder: Path, device: str) -> pd.DataFrame:
    """Return the step of each method, as it is and compiled."""
    rows = read(folder, "step_compiled", device)
    found = [
        (_NAMES.get(row.name, row.name), _seconds(row.eager_seconds),
         _seconds(row.compiled_seconds), _ratio(row.ratio_to_eager))
        for row in rows.itertuples(index=False, name="Row")
    ]  # fmt: skip
    return _table("method", ["eager", "compiled", "compiled over eager"], found)


def growth(folder: Path, device: str) -> pd.DataFrame:
    """Return the exponents of time and kept bytes for each dial and scheme."""
    found = [
        (fit.dial, fit.scheme, fit.values, _fitted(fit.time), _fitted(fit.kept), _fitted(fit.exact))
        for fit in exponents(read(folder, "growth", device))
    ]
    columns = ["scheme", "from, to", "time", "bytes kept", "time of torch's layer"]
    return _table("dial", columns, found)


TABLES: dict[str, Callable[[Path, str], pd.DataFrame]] = {
    "modules": modules, "step": step, "kinds": kinds, "compiled": compiled, "growth": growth,
}  # fmt: skip
"""The tables by the name of their place on the page."""


def _table(name: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[name, *columns]).set_index(name)


def _fitted(found: tuple[float, float] | None) -> str:
    return "–" if found is None else f"{found[0]:.2f} ± {found[1]:.2f}"


def _seconds(seconds: float) -> str:
    return "–" if pd.isna(seconds) else f"{seconds:.3g} s"


def _ratio(ratio: float) -> str:
    return "–" if pd.isna(ratio) else f"{ratio:.2f}"
