"""Verdicts as annotations of GitHub Actions: lines that it shows beside the change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xconv_bench.plain_text import visible
from xconv_bench.report.junit import complaint
from xconv_bench.report.verdict_table import row_words
from xconv_bench.thresholds.verdict import Verdict


def github_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A line for each verdict that is not a pass."""
    for verdict in verdicts:
        if verdict.outcome == "pass":
            continue
        level = "error" if verdict.outcome == "fail" else "notice"
        title = _property(f"{verdict.limit.table}: {verdict.limit.demand}")
        yield f"::{level} title={title}::{_data(f'{row_words(verdict)}: {complaint(verdict)}')}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
