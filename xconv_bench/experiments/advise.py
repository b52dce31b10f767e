"""A plan for one network: worked out once, then measured as any other setting is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xconv_bench.configuration import AdviceConfiguration
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.events import joined
from xconv_bench.experiments.writing import rows_of
from xconv_bench.plans import label_of, plan_of
from xconv_bench.results.schema import ALL_LAYERS
from xconv_bench.results.table import Row, Table

_MEASURED = ("peak_bytes", "step_seconds", "step_ratio")


def forget_other_plans(table: Table, cell: AdviceConfiguration) -> None:
    """Clear the table where the plan that lies beside it is not that of ``cell``."""
    row = table.find({**cell.key, "layer": ALL_LAYERS})
    try:
        if row is None:
            table.clear()
        elif row["status"] == "ok":
            plan_of(str(row["setting"]))
    except UsageError:
        table.clear()


def label_of_advised(table: Table, cell: AdviceConfiguration, plan: Path) -> str:
    """Return the plan's label. Raises BenchError with the reason where there is no plan."""
    row = table.find({**cell.key, "layer": ALL_LAYERS})
    assert row is not None
    if row["status"] != "ok":
        raise BenchError(str(row["message"]))
    return label_of(plan)


def with_measured(
    table: Table, cell: AdviceConfiguration, label: str, measured: Sequence[Row]
) -> list[Row]:
    """Put what was measured of a plan beside what was predicted; return the rows of the cell."""
    row = table.find({**cell.key, "layer": ALL_LAYERS})
    found = next(each for each in measured if each["plan"] == label)
    assert row is not None
    said = {
        name: found[name] for name in ("status", "message", *_MEASURED) if found[name] is not None
    }
    # Once each: the row may have been completed before.
    parts = f"{row['message'] or ''}; {found['message'] or ''}".split("; ")
    message = joined(*dict.fromkeys(parts))
    table.put({**row, **said, "message": message, "setting": label})
    return rows_of([cell], table)
