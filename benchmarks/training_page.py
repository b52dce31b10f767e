"""The tables of docs/training.md, put between the marks that stand there."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.page import put
from xconv_bench.report.published import published_accuracy
from xconv_bench.report.settings import number
from xconv_bench.report.summary import Row
from xconv_bench.report.training_words import JUDGED, SETTING_KEY, means_over_seeds, trained_in
from xconv_bench.report.units import format_bytes, format_ratio
from xconv_bench.report.words import method_words
from xconv_bench.results.run_directory import TABLES
from xconv_bench.results.table import Table

_DECIMALS = {"frechet_distance": 1, "psnr_db": 2}


def write_page(page: Path, folder: Path) -> None:
    """Renew everything between ``<!-- TASK -->`` or ``<!-- mnist -->`` and ``<!-- end -->``."""
    text = page.read_text()
    rows = Table(folder / "tasks" / "training.csv", *TABLES["training"]).rows()
    for key in trained_in(rows):
        task = dict(zip(SETTING_KEY, key, strict=True))["task"]
        text = put(text, str(task), _of_task([row for row in rows if row["task"] == task]))
    mnist = Table(folder / "mnist" / "training.csv", *TABLES["training"]).rows()
    page.write_text(put(text, "mnist", _beside_published(mnist)))


def _of_task(rows: Sequence[Row]) -> pd.DataFrame:
    """A line a method: measures, gap, peak, and the time of a whole training without evaluation."""
    means = [{**row, "training_seconds": _seconds(row)} for row in means_over_seeds(rows)]
    exact = next(row for row in means if row["method"] == "exact")
    measures = [name for name in JUDGED if exact[name] is not None]
    lines = [
        {
            "method": f"`{method_words(row)}`",
            **{JUDGED[name][0]: f"{row[name]:.{_DECIMALS.get(name, 3)}f}" for name in measures},
            "gap": row["gap"] or "",
            "peak": _beside(row, exact, "simulated_peak_bytes", format_bytes),
            "training": _beside(row, exact, "training_seconds", lambda s: f"{s:.0f} s"),
        }
        for row in means
    ]
    return pd.DataFrame(lines).set_index("method")


def _seconds(row: Row) -> float | None:
    epochs, seconds = number(row, "epochs"), number(row, "epoch_seconds")
    return None if epochs is None or seconds is None else epochs * seconds


def _beside(row: Row, exact: Row, column: str, write: Callable[[float], str]) -> str:
    """``20.1 MiB (0.49×)``."""
    value, whole = number(row, column), number(exact, column)
    if value is None or whole is None:
        return ""
    ratio = "" if row is exact else f" ({format_ratio(value / whole)})"
    return f"{write(value)}{ratio}"


def _beside_published(rows: Sequence[Row]) -> pd.DataFrame:
    """A line for each number of probes, a column a batch: accuracy here, and in the paper."""
    cells = {}
    for row in means_over_seeds(rows):
        name = "exact" if row["method"] == "exact" else f"r={row['probes']}"
        cells[name, f"B={row['batch_size']}"] = (
            f"{row['accuracy']:.4f} ({published_accuracy(row):.4f})"
        )
    table = pd.Series(cells).unstack(sort=False)
    return table.rename_axis("")
