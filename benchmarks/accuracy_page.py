"""Tables of docs/accuracy.md, written between the marks in the page."""

from pathlib import Path

import pandas as pd

from benchmarks.page import put

SCHEMES = ("independent", "multi", "orthogonal", "spectral", "quantized")


def write_page(page: Path, folder: Path, starts: list[str]) -> None:
    """Renew everything between ``<!-- NAME START -->`` and ``<!-- end -->`` in ``page``."""
    text = page.read_text()
    for start in starts:
        error = pd.read_csv(folder / start / "error.csv")
        variance = pd.read_csv(folder / start / "variance.csv")
        law = pd.read_csv(folder / start / "variance_law.csv")
        text = put(text, f"error {start}", _by_layer(error, "relative_error"))
        ratios = _by_layer(variance, "variance_ratio")
        text = put(text, f"variance {start}", ratios.join(_smallest(law)))
    page.write_text(text)


def cell(value: float) -> str:
    """Format ``value`` with two or three digits; a dash means an exact gradient."""
    if value == 0:
        return "–"
    if value >= 1:
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _by_layer(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a table with a row for each layer and a column for each scheme and dial."""
    probed = table[(table.method == "xconv") & (table.status == "ok")]
    dial = [
        f"{bits:g} bit{'s' * (bits != 1)}" if pd.isna(probes) else f"r={probes:.0f}"
        for probes, bits in zip(probed.probes, probed.get("bits", probed.probes), strict=True)
    ]
    wide = probed.assign(dial=dial).pivot_table(
        column, "layer", ["scheme", "dial"], sort=False, aggfunc="first"
    )
    measured = set(wide.columns.get_level_values(0))
    wide = wide[[scheme for scheme in SCHEMES if scheme in measured]]
    wide = wide.map(cell)
    wide.columns = [f"{scheme} {dial}" for scheme, dial in wide.columns]
    return wide


def _smallest(law: pd.DataFrame) -> pd.DataFrame:
    """Return for each layer the fewest independent probes that keep the ratio at its target."""
    independent = law[law.scheme == "independent"].set_index("layer")
    cells = independent.smallest_probes.map(lambda r: "" if pd.isna(r) else f"{r:.0f}")
    cells = cells.where(independent.points > 0, "–")
    return cells.rename("independent, r for a ratio of 1").to_frame()
