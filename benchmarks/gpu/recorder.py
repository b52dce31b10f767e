"""A plugin of pytest that writes a row for each test when it ends, so that a cut loses none."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

TABLE = "XCONV_GPU_TESTS_CSV"
"""The variable that names the CSV."""
COLUMNS = ("test", "status", "seconds", "message")
_LONGEST = 300


def pytest_configure(config: pytest.Config) -> None:
    """Record if a table is named, and only in the process that hears of all tests."""
    path = os.environ.get(TABLE)
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(Path(path)), "xconv-gpu-recorder")


class Recorder:
    """A writer of ``status`` passed, failed or skipped, with the last line of what went wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write("w", COLUMNS)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a test as passed after its call; setup may fail or skip it, too."""
        if report.when == "call" or report.outcome != "passed":
            message = _message(report)
            self._write("a", (report.nodeid, report.outcome, f"{report.duration:.3f}", message))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a file that cannot be imported as a failure."""
        if report.failed:
            self._write("a", (report.nodeid, "failed", "0", _last_line(report.longreprtext)))

    def _write(self, mode: str, row: tuple[str, ...]) -> None:
        with self._path.open(mode, newline="") as file:
            csv.writer(file).writerow(row)


def _message(report: pytest.TestReport) -> str:
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return report.longrepr[2][:_LONGEST]
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else _last_line(report.longreprtext)
    return " ".join(text.split())[:_LONGEST]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:_LONGEST] if lines else ""
