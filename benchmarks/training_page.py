"""Tables of docs/training.md, written between the marks in the page."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.page import put
from xconv_bench.amounts import format_bytes
from xconv_bench.naming import method_words
from xconv_bench.report.published import published_accuracy
from xconv_bench.report.rows import Row, number
from xconv_bench.report.training_words import JUDGED, means_over_seeds
from xconv_bench.report.words import format_ratio
from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Table
from xconv_bench.tasks import TASKS

_DECIMALS = {"frechet_distance": 1, "psnr_db": 2}


def write_page(page: Path, folder: Path) -> None:
    """Renew what is between ``<!-- NAME -->`` and ``<!-- end -->``.

    A NAME is a task, or ``summary``, ``cifar``, ``mnist``.
    """
    text = page.read_text()
    tasks = _rows(folder / "tasks")
    of_task = {name: [row for row in tasks if row["task"] == name] for name in TASKS}
    of_task = {name: rows for name, rows in of_task.items() if rows}
    for name, rows in of_task.items():
        text = put(text, name, _of_task(rows))
    text = put(text, "summary", _summary(of_task))
    text = put(text, "cifar", _of_task(_rows(folder / "cifar")))
    page.write_text(put(text, "mnist", _beside_published(_rows(folder / "mnist"))))


def _rows(run: Path) -> Sequence[Row]:
    return Table(run / "training.csv", TABLES["training"]).rows()


def _summary(of_task: Mapping[str, Sequence[Row]]) -> pd.DataFrame:
    """Return a row for each task: exact's measure, and the distance of each other method."""
    lines = {}
    for task, rows in of_task.items():
        exact, *others = means_over_seeds(rows)
        measure = next(name for name in JUDGED if exact[name] is not None)
        lines[f"{task}, {JUDGED[measure]}"] = {
            "`exact`": f"{exact[measure]:.{_DECIMALS.get(measure, 3)}f}",
            **{f"`{_brief(row)}`": row["gap"] or "" for row in others},
        }
    table = pd.DataFrame.from_dict(lines, orient="index").fillna("").rename_axis("task")
    # Some tasks have more numbers of probes than the first.
    return table[sorted(table.columns, key=lambda name: (name != "`exact`", "r=" not in name))]


def _brief(row: Row) -> str:
    """Return a text such as ``r=4``, ``quantized 2 bits`` or ``all, spectral 0.5 bits``.

    It leaves out what the rows of the summary have in common.
    """
    if row["probes"]:
        return f"r={row['probes']}"
    words = method_words({**row, "compress": None}).removeprefix("xconv ")
    return f"all, {words}" if "norm" in str(row["compress"]).split(",") else words


def _of_task(rows: Sequence[Row]) -> pd.DataFrame:
    """Return a row for each method: measures, gap and peak."""
    means = means_over_seeds(rows)
    exact = next(row for row in means if row["method"] == "exact")
    measures = [name for name in JUDGED if exact[name] is not None]
    lines = [
        {
            "method": f"`{method_words(row)}`",
            **{JUDGED[name]: f"{row[name]:.{_DECIMALS.get(name, 3)}f}" for name in measures},
            "gap": row["gap"] or "",
            "peak": _beside(row, exact, "simulated_peak_bytes", format_bytes),
        }
        for row in means
    ]
    return pd.DataFrame(lines).set_index("method")


def _beside(row: Row, exact: Row, column: str, write: Callable[[float], str]) -> str:
    """Return a text such as ``20.1 MiB (0.49×)``."""
    value, whole = number(row, column), number(exact, column)
    if value is None or whole is None:
        return ""
    ratio = "" if row is exact else f" ({format_ratio(value / whole)})"
    return f"{write(value)}{ratio}"


def _beside_published(rows: Sequence[Row]) -> pd.DataFrame:
    """Return a row for each number of probes, a column for each batch size.

    Cells have the accuracy here and in the paper.
    """
    cells = {}
    for row in means_over_seeds(rows):
        name = _brief(row)
        cells[name, f"B={row['batch_size']}"] = (
            f"{row['accuracy']:.4f} ({published_accuracy(row):.4f})"
        )
    table = pd.Series(cells).unstack(sort=False)
    return table.rename_axis("")
