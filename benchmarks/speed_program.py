"""The common part of the programs of ``make bench``: options, and rows that are written at once."""

import argparse
import csv
import shlex
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from benchmarks.timing import processor

DOCS = Path("docs/benchmarks")
QUICK = Path("build/benchmarks")
"""Folders of tables: those of the documentation, and those of a run that only tries a program."""

Row = TypeVar("Row")


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that all programs have."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    options.add_argument("--quick", action="store_true", help=f"try it on little, in {QUICK}")
    options.add_argument("--folder", type=Path, help=f"folder of the tables (default: {DOCS})")
    return options


def parsed(options: argparse.ArgumentParser, words: Sequence[str] | None) -> argparse.Namespace:
    """Return the given options; the folder exists."""
    given = options.parse_args(words)
    given.folder = given.folder or (QUICK if given.quick else DOCS)
    given.folder.mkdir(parents=True, exist_ok=True)
    return given


def record(path: Path, kind: type[Row], groups: Iterable[Sequence[Row]]) -> list[Row]:
    """Write the rows of each group to ``path`` as soon as they are there, and return all.

    ``kind`` is a dataclass whose fields are the columns. Ctrl-C keeps what there is.
    """
    rows: list[Row] = []
    columns: Any = kind
    with path.open("w", newline="") as file, suppress(KeyboardInterrupt):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(columns))
        for group in groups:
            found: Sequence[Any] = group
            writer.writerows(astuple(row) for row in found)
            file.flush()
            rows += group
    print(f"written: {path}", file=sys.stderr)
    return rows


def made_by(name: str, words: Sequence[str] | None, device: str) -> str:
    """Return a sentence on the command of a program, and what it ran on."""
    given = sys.argv[1:] if words is None else words
    command = shlex.join(["python", "-m", f"benchmarks.{name}", *given])
    return f"Made by `{command}` with torch {torch.__version__} on {processor(device)}."
