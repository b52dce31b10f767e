"""The rows of ``benchmarks.all_models`` as a page of Markdown."""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import groupby
from operator import itemgetter
from typing import Any

from xconv_bench.report.units import format_bytes, format_ratio

_INTRODUCTION = """\
# Every model, converted

TODO
"""


def page(rows: Sequence[dict[str, Any]]) -> str:
    """A table for each family of networks, below what its columns mean."""
    passed = sum(row["check"] == "ok" for row in rows)
    introduction = _INTRODUCTION.format(
        torch=version("torch"), torchvision=version("torchvision"), passed=passed, all=len(rows)
    )
    by_family = groupby(sorted(rows, key=itemgetter("family")), key=itemgetter("family"))
    return "\n".join([introduction, *(_section(family, list(own)) for family, own in by_family)])


def _section(family: str, rows: Sequence[dict[str, Any]]) -> str:
    heading = [
        f"## {family.capitalize()}", "",
        "| model | parameters | convolutions | ReLUs | saved: exact | xconv | ratio | "
        "left exact | other activations | check |",
        "|---|--:|--:|--:|--:|--:|--:|---|---|---|",
    ]  # fmt: skip
    return "\n".join([*heading, *map(_line, rows), ""])


def _line(row: dict[str, Any]) -> str:
    known = "parameters" in row
    cells = [
        row["model"],
        f"{row['parameters'] / 1e6:.2f} M" if known else "",
        f"{row['convolutions_swapped']} of {row['convolutions']}" if known else "",
        f"{row['relus_swapped']} of {row['relus']}" if known else "",
        format_bytes(row["exact_saved_bytes"]) if known else "",
        format_bytes(row["xconv_saved_bytes"]) if known else "",
        format_ratio(row["saved_ratio"]) if known else "",
        row.get("left", ""),
        row.get("other", ""),
        row["check"],
    ]
    return f"| {' | '.join(cells)} |"
