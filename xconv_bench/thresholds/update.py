"""A run becomes the baseline of those after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.results.files import explained, write_whole
from xconv_bench.results.reading import read_tables
from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Row, Table
from xconv_bench.thresholds.limit import Limit
from xconv_bench.thresholds.verdict import number, selected_rows


@dataclass(frozen=True)
class Change:
    """A metric of a row in the old baseline and in the new one; None where there is none."""

    limit: Limit
    row: Row
    before: float | None
    after: float | None


def update_baseline(run: Path, baseline: Path, limits: Sequence[Limit]) -> list[Change]:
    """Put the tables that the limits are about in the place of the baseline's.

    ``baseline`` is a folder, made where it does not exist, or a CSV. Returns what changed in the
    metrics of the limits. Raises BenchError where the run lacks a table, UsageError where one CSV
    is to hold several.
    """
    names = sorted({limit.table for limit in limits if limit.reference == "baseline"})
    if not names:
        raise UsageError("no threshold compares with a baseline: there is nothing to update")
    if baseline.suffix == ".csv" and names != [baseline.stem]:
        raise UsageError(f"the baseline {baseline} holds one table: expected a folder for "
                         f"{', '.join(names)}")  # fmt: skip
    ours = read_tables(run, names)
    empty = [name for name in names if not ours[name]]
    if empty:
        raise BenchError(f"{run} has no rows of {', '.join(empty)}: run the profile first")
    theirs = _before(baseline, names)
    compared = [limit for limit in limits if limit.reference == "baseline"]
    changes = [change for limit in compared for change in _changes(limit, ours, theirs)]
    folder = baseline.parent if baseline.suffix == ".csv" else baseline
    with explained(folder, option="--baseline"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            write_whole(folder / f"{name}.csv", (run / f"{name}.csv").read_bytes())
        record = run / "environment.json"
        if record.is_file():
            write_whole(folder / record.name, record.read_bytes())
    return changes


def _before(baseline: Path, names: Iterable[str]) -> dict[str, list[Row]]:
    """Read the baseline; a table that cannot be read, and is to be renewed, has no rows."""
    folder = baseline.parent if baseline.suffix == ".csv" else baseline
    rows = {}
    for name in names:
        try:
            rows[name] = Table(folder / f"{name}.csv", TABLES[name]).rows()
        except BenchError:
            rows[name] = []
    return rows


def _changes(
    limit: Limit, ours: Mapping[str, list[Row]], theirs: Mapping[str, list[Row]]
) -> Iterator[Change]:
    names = TABLES[limit.table].key
    before = {tuple(row[name] for name in names): row for row in theirs[limit.table]}
    for row in selected_rows(limit, ours[limit.table]):
        old = before.pop(tuple(row[name] for name in names), None)
        yield Change(
            limit,
            row,
            None if old is None else number(old, limit.metric),
            number(row, limit.metric),
        )
    for row in selected_rows(limit, list(before.values())):
        yield Change(limit, row, number(row, limit.metric), None)
