"""Small tables in which every cell is filled, so that any of them can be taken away."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from xconv_bench.configuration import KINDS, Configuration
from xconv_bench.knobs import KNOBS
from xconv_bench.results.schema import ALL_LAYERS, Column, Schema

Row = dict[str, Any]

METHODS: Sequence[Mapping[str, Any]] = (
    {"method": "xconv", "scheme": "independent", "probes": 8, "compress": "conv,relu"},
    {"method": "exact"},
)
TELLING: Mapping[str, Sequence[Any]] = {
    "layer": ("0", ALL_LAYERS),
    "epoch": (1, 2),
    "weight_index": (0, 7),
}
"""Columns that tell the rows of one measurement apart, and two of their values."""
WORDS = {
    "model": "net", "status": "ok", "bias_verdict": "none", "peak_meter": "live_peak_bytes",
}  # fmt: skip
DEFAULTS = {each.name: each.default for kind in (Configuration, *KINDS) for each in fields(kind)}


def full_rows(schema: Schema) -> list[Row]:
    """Return rows of two methods with every figure, and the knobs of each."""
    values: list[Row] = [{}]
    for name in [each for each in TELLING if each in schema.names]:
        values = [{**each, name: value} for each in values for value in TELLING[name]]
    methods = METHODS[:1] if schema.name == "advice" else METHODS
    told = [{**method, **each} for method in methods for each in values]
    return [
        {
            column.name: each.get(column.name, _cell(schema, column, place, number))
            for place, column in enumerate(schema.columns)
        }
        for number, each in enumerate(told)
    ]


def _cell(schema: Schema, column: Column, place: int, number: int) -> Any:
    if column.name in KNOBS:
        return None
    if column.name in schema.key:
        default = DEFAULTS.get(column.name)
        return default if isinstance(default, column.kind) else _text_or_number(column, 2)
    return _text_or_number(column, 1 + place % 3 + number * 0.25)


def _text_or_number(column: Column, value: float) -> Any:
    if column.kind is str:
        return WORDS.get(column.name, f"a {column.name}")
    return column.kind(value)
