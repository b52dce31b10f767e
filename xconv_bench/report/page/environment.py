"""Properties of what runs were made with, and the ones in which they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from xconv_bench.amounts import format_bytes
from xconv_bench.results.recorded import RecordedRun

_NAMES = {
    "xconv_bench": "xconv-bench",
    "source.revision": "revision",
    "source.dirty": "with changes of its own",
    "memory_bytes": "memory",
    "cpu.model": "CPU",
    "cpu.cores": "CPU cores",
    "cpu.torch_threads": "threads of torch",
    "torch": "PyTorch",
    "cuda": "CUDA",
    "cudnn": "cuDNN",
    "gpus": "GPUs",
    "python": "Python",
}
_BYTES = frozenset({"memory_bytes", "total_bytes"})
"""Entries of a record that are bytes."""
_EXPECTED = frozenset({"started", "command"})
"""Entries that differ in any two runs."""
_LONGEST = 400


@dataclass(frozen=True)
class Property:
    """``values`` has one for each run; ``differs`` where they tell the runs apart."""

    name: str
    values: list[str]
    differs: bool


@dataclass(frozen=True)
class Continuation:
    """A command that went on with a run, and in which properties it differed from the first."""

    run: str
    started: str
    command: str
    differences: list[str]


def properties_of(runs: Sequence[RecordedRun]) -> list[Property]:
    """Return all properties, first the ones in which the runs differ."""
    records = [dict(_flat(run.environment or {})) for run in runs]
    names = list(dict.fromkeys(name for record in records for name in record))
    found = []
    for name in names:
        values = [record.get(name, "") for record in records]
        if any(values):
            differs = len(set(values)) > 1 and name not in _EXPECTED
            found.append(Property(_NAMES.get(name, _plain(name)), values, differs))
    return sorted(found, key=lambda each: not each.differs)


def continuations_of(runs: Sequence[RecordedRun]) -> list[Continuation]:
    """Return the later commands of all runs, in their order."""
    found = []
    for run in runs:
        first = dict(_flat(run.environment or {}))
        later = (run.environment or {}).get("continued")
        for record in later if isinstance(later, list) else []:
            if isinstance(record, dict):
                found.append(_continuation(run.name, first, dict(_flat(record))))
    return found


def _continuation(run: str, first: dict[str, str], record: dict[str, str]) -> Continuation:
    differences = [
        f"{_NAMES.get(name, _plain(name))} {record.get(name) or 'none'}"
        for name in dict.fromkeys([*first, *record])
        if name not in _EXPECTED and first.get(name, "") != record.get(name, "")
    ]
    return Continuation(run, record.get("started", ""), record.get("command", ""), differences)


def _flat(record: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        path = f"{before}{name}"
        if path == "continued":
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{path}.")
        else:
            yield path, _text(path, value)


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.rpartition(".")[2] in _BYTES:
        return format_bytes(value)
    if isinstance(value, list):
        return "; ".join(_text(name, each) for each in value)[:_LONGEST]
    if isinstance(value, dict):
        parts = ((key, _text(key, each)) for key, each in value.items())
        return ", ".join(f"{_plain(key)} {text}" for key, text in parts if text)
    return str(value)[:_LONGEST]


def _plain(name: str) -> str:
    for group in ("packages.", "flags."):
        name = name.removeprefix(group)
    if name in _BYTES:
        name = name.removesuffix("_bytes")
    return name.replace("_", " ").replace(".", " ")
