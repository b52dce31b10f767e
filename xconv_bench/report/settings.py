"""Rows that may be compared: the rows of one setting, and in it of one estimator."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from xconv_bench.knobs import KNOBS
from xconv_bench.naming import estimator_words
from xconv_bench.report.summary import REFERENCE, Row
from xconv_bench.report.units import format_budget
from xconv_bench.report.words import phrases
from xconv_bench.results.schema import ALL_LAYERS, Cell

_WITHIN = frozenset({"method", *KNOBS, "layer"})
_SUFFIXES = {
    "batch_size": "batch{}",
    "image_size": "{}px",
    "seed": "seed{}",
    "samples": "{}samples",
    "warmup_steps": "warmup{}",
    "minibatches": "{}minibatches",
    "repeats": "{}seeds",
}
_SUFFIX_CHARACTERS = 100


@dataclass(frozen=True)
class Comparable:
    """Rows that differ in method, knobs and layer only, in their order.

    ``title`` says what they have in common, ``apart`` what tells them from the other settings;
    it is empty where there is one setting. ``suffix`` does so in a file name: ``_batch64``.
    """

    rows: list[Row]
    title: str
    apart: str
    suffix: str


def settings_of(rows: Iterable[Row], key: Sequence[str]) -> list[Comparable]:
    """Return the settings in the order in which they first occur.

    ``key`` names the columns that rows are known by; those of method, knobs and layer are left out.
    """
    names = [name for name in key if name not in _WITHIN]
    groups: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(_value(row, name) for name in names), []).append(row)
    columns = [dict(zip(names, values, strict=True)) for values in groups]
    varying = {name for name in names if len({each[name] for each in columns}) > 1}
    differing = [{n: v for n, v in each.items() if n in varying} for each in columns]
    said = [{n: v for n, v in each.items() if n in varying or _is_said(n, v)} for each in columns]
    return [
        Comparable(group, phrases(title), phrases(apart), suffix)
        for group, title, apart, suffix in zip(
            groups.values(), said, differing, _suffixes(differing), strict=True
        )
    ]


def by_estimator(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each method, whatever its dial, by its name in words."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(estimator_words(row), []).append(row)
    return found


def by_layer(rows: Iterable[Row], layers: Sequence[str] | None = None) -> dict[str, list[Row]]:
    """Return the rows of each layer, in their order, the rows of all together last.

    Where ``layers`` are given, only these and all together are returned.
    """
    found: dict[str, list[Row]] = {}
    for row in rows:
        layer = str(row["layer"])
        if layers is None or layer in layers or layer == ALL_LAYERS:
            found.setdefault(layer, []).append(row)
    return dict(sorted(found.items(), key=lambda item: item[0] == ALL_LAYERS))


def of_network(rows: Iterable[Row]) -> list[Row]:
    """Return the rows over all layers together, one for each configuration.

    All rows are where none has a layer.
    """
    return [row for row in rows if row.get("layer", ALL_LAYERS) == ALL_LAYERS]


def number(row: Row, column: str) -> float | None:
    """Return the value of a cell; None where it holds no number."""
    value = row[column]
    return value if isinstance(value, int | float) else None


def is_reference(row: Row) -> bool:
    """Return whether a row is of the method that all others are compared with."""
    return row["method"] == REFERENCE


def is_exact(row: Row) -> bool:
    """Return whether a gradient differs from the exact one by no more than rounding."""
    return row["bias_verdict"] == "exact" or row["relative_error"] == 0


def _value(row: Row, name: str) -> Cell:
    # A batch that was chosen for the memory belongs to the method.
    if name == "batch_size" and row.get("memory_budget_bytes") is not None:
        return None
    return row[name]


def _is_said(name: str, value: Cell) -> bool:
    """Return whether a value belongs in a title where it is the same for all."""
    return name != "seed" and (name, value) != ("warmup_steps", 0)


def _suffixes(differing: Iterable[Mapping[str, Cell]]) -> list[str]:
    """Return a suffix for each, all different whatever characters the names lose."""
    suffixes: list[str] = []
    for columns in differing:
        words = [_suffix(name, value) for name, value in columns.items() if value is not None]
        text = "".join(f"_{re.sub(r'[^A-Za-z0-9.-]+', '-', word)}" for word in words)
        text = text[-_SUFFIX_CHARACTERS:]
        number, suffix = 1, text
        while suffix in suffixes:
            number += 1
            suffix = f"{text}_{number}"
        suffixes.append(suffix)
    return suffixes


def _suffix(name: str, value: Cell) -> str:
    if name == "memory_budget_bytes" and isinstance(value, int):
        return format_budget(value)
    return _SUFFIXES.get(name, "{}").format(value)
