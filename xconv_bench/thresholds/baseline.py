"""Baselines that a run is held against: an earlier run, or a table of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xconv_bench.errors import UsageError
from xconv_bench.paths import is_folder, is_there
from xconv_bench.results.reading import read_recorded
from xconv_bench.results.schema import TABLES, Cell, Column
from xconv_bench.results.table import Row

_MACHINE = (
    ("cpu", "model"), ("cpu", "torch_threads"), ("gpus",), ("driver",), ("torch",), ("cuda",),
    ("cudnn",), ("flags",), ("kernels_in_c",),
)  # fmt: skip
"""Entries that must be the same in two records, for a figure of a machine to be compared."""


class Baseline:
    """The rows of a run directory or of one CSV, and the environment that they were measured in."""

    def __init__(self, path: Path) -> None:
        if not is_there(path):
            raise UsageError(
                f"the baseline {path} does not exist: expected a run directory or a CSV; "
                "`check --update` writes one"
            )
        if not is_folder(path) and path.stem not in TABLES:
            raise UsageError(
                f"the baseline {path} is named as no table: expected a run directory or a CSV such "
                "as memory.csv"
            )
        self.path = path
        self.environment = read_environment(path if path.is_dir() else path.parent)
        self._rows: dict[str, dict[tuple[Cell, ...], Row]] = {}

    def find(self, table: str, key: Mapping[str, Cell]) -> Row | None:
        """Return the row with this key; None where there is none."""
        return self._of(table).get(tuple(key.values()))

    def devices(self, table: str, key: Mapping[str, Cell]) -> list[str]:
        """Return the devices of the rows that have this key but for the device."""
        names = TABLES[table].key
        wanted = tuple(key[name] for name in names if name != "device")
        return [
            str(row["device"])
            for row in self._of(table).values()
            if tuple(row[name] for name in names if name != "device") == wanted
        ]

    def _of(self, table: str) -> dict[tuple[Cell, ...], Row]:
        if table not in self._rows:
            schema = TABLES[table]
            path = self.path / f"{table}.csv" if self.path.is_dir() else self.path
            is_this = self.path.is_dir() or self.path.stem == table
            renew = "`check --update` renews it"
            found = read_recorded(path, table, renew) if is_this else None
            rows = [] if found is None else found.rows
            self._rows[table] = {tuple(row[name] for name in schema.key): row for row in rows}
        return self._rows[table]


def read_environment(folder: Path) -> dict[str, Any] | None:
    """Read the record of a run's environment; None where there is none that can be read."""
    try:
        record = json.loads((folder / "environment.json").read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def why_not_comparable(
    column: Column, device: Cell, ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None
) -> str | None:
    """Return why two figures of ``device`` say nothing about a change; None where they do.

    The ``column`` declares how far its figures hold. ``ours`` and ``theirs`` are the records of the
    environments that they were measured in.
    """
    if not column.is_of_its_machine(device):
        return None
    if ours is None or theirs is None:
        return "no record of the machine lies beside it (environment.json)"
    machines = [_machines_in(record) for record in (theirs, ours)]
    for path in _MACHINE:
        before, now = ([_at(record, path) for record in some] for some in machines)
        if any(value != before[0] for value in before):
            return f"it was measured with more than one {' '.join(path)}"
        for value in now:
            if value != before[0]:
                return f"another {' '.join(path)}: {_words(before[0])}, here {_words(value)}"
    return None


def _machines_in(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what any of the rows may have been measured on: resumed, or elsewhere in a cluster."""
    others = [record.get(name) for name in ("continued", "machines")]
    lists = [other for other in others if isinstance(other, list)]
    return [record, *(each for some in lists for each in some if isinstance(each, Mapping))]


def _at(record: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(each.get("name")) for each in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    return "none" if value is None else str(value)
