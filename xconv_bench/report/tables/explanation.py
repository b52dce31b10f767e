"""Print what holds the memory of each method, as tables for people."""

from collections.abc import Sequence
from typing import IO

from xconv_bench.amounts import Scale, bytes_scale, format_bytes
from xconv_bench.explanation import Explanation, Held, Peak
from xconv_bench.naming import method_words
from xconv_bench.report.rows import Row, grouped, is_reference, settings_of
from xconv_bench.report.tables.terminal import Block, Printed, TextColumn, aligned, print_tables
from xconv_bench.report.words import format_ratio
from xconv_bench.results.schema import TABLES

MOST_FAMILIES = 6
"""Families with a line of their own; those that keep less share one more."""

_FAMILIES = {
    "conv": "convolutions",
    "relu": "ReLUs",
    "pool": "pooling",
    "act": "activations",
    "norm": "normalisations",
    "linear": "linear layers",
    "functions": "functions in forward passes",
    "checkpoint": "inputs of checkpointed blocks",
    "other": "other modules",
    "loss": "the loss",
}
_LOSS = "loss"
_UNCONVERTED = "not converted"
_MEANINGS = (
    ("saved", "what autograd keeps between forward and backward; what several modules share counts "
     "once, for the first that saved it; in brackets the ratio to exact"),
    ("largest", "the module that keeps most of it"),
)  # fmt: skip

Explained = tuple[Row, Explanation | str]
"""A row of a method, and what holds its memory, or why that is not known."""


def print_explanations(explained: Sequence[Explained], file: IO[str] | None = None) -> None:
    """Print who keeps what for the backward pass and what is there at the peak, method by method.

    ``allocated_peak_bytes`` of a row, where it has any, tells what torch's allocator took beyond
    live tensors.
    """
    known: dict[int, Explanation | str] = {id(row): found for row, found in explained}
    unknown: list[str] = []
    parts: list[Block] = []
    for setting in settings_of([row for row, _ in explained], TABLES["runtime"].key):
        found = [(row, known[id(row)]) for row in setting.rows]
        exact = next((e for row, e in found if is_reference(row)), None)
        for row, explanation in found:
            name = setting.named(method_words(row))
            if isinstance(explanation, str):
                unknown.append(f"what holds the memory of {name} is not known: {explanation}")
                continue
            reference = exact if isinstance(exact, Explanation) and exact != explanation else None
            parts.append(_saved(f"what holds your memory: {name}", explanation, reference))
            if explanation.peak is not None:
                parts.append(_peak(explanation.peak, row.get("allocated_peak_bytes")))
    if parts:
        print_tables(Printed(parts, unknown, _MEANINGS), file)
    else:
        print_tables(Printed([Block("", [], [], unknown)]), file)


def _saved(heading: str, found: Explanation, exact: Explanation | None) -> Block:
    families = _by_family(found)
    if not families:
        note = "Nothing is saved for the backward pass where it was looked for."
        return Block(heading, [], [], [note])
    before = {} if exact is None else {n: _total(some) for n, some in _by_family(exact).items()}
    whole = None if exact is None else exact.saved_bytes
    lines = [(_FAMILIES.get(name, name), some, before.get(name)) for name, some in families.items()]
    if len(lines) > MOST_FAMILIES + 1:  # one more takes no more room than its sum
        rest = lines[MOST_FAMILIES:]
        together = [each for _, some, _ in rest for each in some]
        known = [count for *_, count in rest if count is not None]
        lines = [*lines[:MOST_FAMILIES], ("all others", together, sum(known) if known else None)]
    sums = [*((_total(some), count) for _, some, count in lines), (found.saved_bytes, whole)]
    unit = bytes_scale(found.saved_bytes)
    columns = [
        TextColumn("modules", [*(str(len(some)) for _, some, _ in lines), str(len(found.held))]),
        TextColumn("saved", _with_ratios(sums)),
        TextColumn("share", [_share(count, found.saved_bytes) for count, _ in sums]),
        TextColumn("largest", [*(_largest(some[0], unit) for _, some, _ in lines), ""], "left"),
        TextColumn(
            "how the largest is kept", [*(_how(some[0]) for _, some, _ in lines), ""], "left"
        ),
    ]
    kept = [column for column in columns if any(column.cells)]
    identity = TextColumn("kept by", [*(n for n, *_ in lines), "together"], "left")
    return Block(heading, [identity], kept)


def _largest(held: Held, unit: Scale) -> str:
    """Return a module with what it keeps; the loss is none."""
    return "" if held.family == _LOSS else f"{held.layer}, {unit.format(held.saved_bytes)}"


def _how(held: Held) -> str:
    return "" if held.family == _LOSS or held.how == _UNCONVERTED else held.how


def _peak(peak: Peak, allocated: object) -> Block:
    parts = {name: count for name, count in peak.parts.items() if count}
    parts = dict(sorted(parts.items(), key=lambda item: -item[1]))
    where = f"the {peak.phase} pass" + (f", in {peak.layer}" if peak.layer else "")
    lines = [*parts.items(), ("together", peak.bytes)]
    columns = [
        TextColumn("bytes", [bytes_scale(peak.bytes).format(count) for _, count in lines]),
        TextColumn("share", [_share(count, peak.bytes) for _, count in lines]),
    ]
    identity = TextColumn(f"at the peak, in {where}", [name for name, _ in lines], "left")
    notes = []
    if isinstance(allocated, int) and allocated > peak.bytes:
        notes.append(
            f"torch's allocator took {format_bytes(allocated - peak.bytes)} more: workspaces "
            "inside of kernels, and rounding"
        )
    return Block("", [identity], columns, notes)


def _by_family(found: Explanation) -> dict[str, list[Held]]:
    """Return what each family keeps, the largest first, and in it the largest module first."""
    families = grouped(found.held, lambda held: held.family)
    return dict(sorted(families.items(), key=lambda item: -_total(item[1])))


def _total(some: Sequence[Held]) -> int:
    return sum(each.saved_bytes for each in some)


def _with_ratios(pairs: Sequence[tuple[int, int | None]]) -> list[str]:
    """Return bytes, all in one unit, with their ratio to what exact keeps where that is known."""
    unit = bytes_scale(max(count for count, _ in pairs))
    return aligned(
        [
            unit.format(count) + (f" ({format_ratio(count / exact)})" if exact else "")
            for count, exact in pairs
        ],
        " (",
    )


def _share(count: int, whole: int) -> str:
    percent = 100 * count / whole if whole else 0
    return "<1 %" if 0 < percent < 1 else f"{percent:.0f} %"
