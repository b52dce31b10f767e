"""Runs on the disk, read without their lock: nothing is made and nothing changed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.results.reading import RecordedTable, read_recorded
from xconv_bench.results.run_directory import RUNS
from xconv_bench.results.schema import TABLES


@dataclass(frozen=True)
class RecordedRun:
    """A run directory: its tables by name, in the order of ``TABLES``, at least one.

    ``name`` tells it from the other runs. ``environment`` is None where there is no record.
    """

    name: str
    path: Path
    tables: dict[str, RecordedTable]
    environment: dict[str, Any] | None

    @property
    def plots(self) -> Path:
        """Return the folder of its pictures."""
        return self.path / "plots"


def newest_run() -> Path:
    """Return the directory below ``runs`` whose tables were written last.

    Raises UsageError where there is none.
    """
    try:
        folders = [folder for folder in RUNS.iterdir() if folder.is_dir()]
    except OSError:
        folders = []
    written = {folder: _last_written(folder) for folder in folders}
    # The later time in its name decides between two that were written at once.
    newest = max(written, key=lambda folder: (written[folder], folder.name), default=None)
    if newest is None or not written[newest]:
        raise UsageError(
            f"there is no run below {RUNS} here: give the directory of one, or measure first, as "
            "with xconv-bench run quick"
        )
    return newest


def _last_written(folder: Path) -> int:
    """Return the time of the newest table in nanoseconds; 0 where there is none to be read."""
    try:
        times = [path.stat().st_mtime_ns for path in folder.glob("*.csv") if path.stem in TABLES]
    except OSError:
        times = []
    return max(times, default=0)


def read_runs(paths: Sequence[Path]) -> tuple[list[RecordedRun], list[str]]:
    """Return the runs that can be read, and a line on each thing that was skipped.

    Raises UsageError for a path that does not exist, BenchError where nothing can be read.
    """
    for path in paths:
        if not _exists(path):
            raise UsageError(
                f"{path} does not exist: give the directory of a run, such as runs/..."
            )
    skipped: list[str] = []
    runs: list[RecordedRun] = []
    known: set[Path] = set()
    for path, name in zip(paths, _names(paths), strict=True):
        if path.resolve() in known:
            skipped.append(f"{path} is given twice: shown once")
            continue
        known.add(path.resolve())
        run = _read_run(path, name, skipped)
        if run is not None:
            runs.append(run)
    if not runs:
        raise BenchError(f"there is nothing to report: {'; '.join(skipped)}")
    return runs, skipped


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have, or a folder that is closed
        return False


def _read_run(path: Path, name: str, skipped: list[str]) -> RecordedRun | None:
    if not path.is_dir():
        skipped.append(f"{path} is not the directory of a run: skipped")
        return None
    try:
        present = {entry.name for entry in path.iterdir()}
    except OSError as error:
        skipped.append(f"{path} cannot be read: {error.strerror}: skipped")
        return None
    tables = {}
    problems: list[str] = []
    for table in TABLES:
        if f"{table}.csv" in present:
            found = _read_table(path, table, problems)
            if found is not None:
                tables[table] = found
    skipped += problems
    if not tables:
        reason = "no table in it can be read" if problems else "there is no table in it"
        skipped.append(f"{path}: {reason}: skipped")
        return None
    return RecordedRun(name, path, tables, _read_environment(path, skipped))


def _read_table(folder: Path, name: str, problems: list[str]) -> RecordedTable | None:
    try:
        found = read_recorded(folder / f"{name}.csv", name)
    except BenchError as error:
        problems.append(f"{error}: skipped")
        return None
    if found is not None and found.remark:
        problems.append(found.remark)
    return found


def _read_environment(folder: Path, skipped: list[str]) -> dict[str, Any] | None:
    path = folder / "environment.json"
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        skipped.append(f"{path} does not exist: what this run was made with is not known")
        return None
    except OSError as error:
        skipped.append(f"{path} cannot be read: {error.strerror}: skipped")
        return None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        skipped.append(f"{path} is not a record of an environment: skipped")
        return None
    return record


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the last parts of the paths, as few as tell them apart."""
    whole = [path.resolve() for path in paths]
    longest = max(len(path.parts) for path in whole)
    for count in range(1, longest + 1):
        names = ["/".join(path.parts[-count:]) for path in whole]
        if len(set(names)) == len(set(whole)):
            return names
    return [str(path) for path in whole]
