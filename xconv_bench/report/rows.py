"""Rows that may be compared: those of a setting, of an estimator, and a line a configuration."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

from xconv_bench.knobs import KNOBS
from xconv_bench.naming import estimator_words, method_words, model_words, models_apart
from xconv_bench.report.disturbed import disturbances, undisturbed
from xconv_bench.report.words import (
    common,
    counts_words,
    differing,
    ended,
    format_budget,
    phrases,
    status_words,
)
from xconv_bench.results.schema import ALL_LAYERS, TABLES, Cell, Column

Row = Mapping[str, Cell]
Grouped = TypeVar("Grouped")
GroupKey = TypeVar("GroupKey")

REFERENCE = "exact"
"""The method that all others are compared with."""

RATIO_MEANING = "relative to the method exact in the same setting"

_REPETITION = ("repeat", "seed")
_KNOBS = ("method", *KNOBS)
_CONFIGURATION = tuple(column for column in TABLES["memory"].key if column not in _REPETITION)
_SETTING = tuple(column for column in TABLES["memory"].key if column not in _KNOBS)
_FACTS = ("parameters", "convolutions")
_DISTURBANCES = ("cpu_wait_part",)
# The model decides its parameters and convolutions: they tell no two configurations apart.
_TITLE = ("model", *_FACTS, "batch_size", "image_size", "dtype", "device")
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


def grouped(
    items: Iterable[Grouped], key: Callable[[Grouped], GroupKey]
) -> dict[GroupKey, list[Grouped]]:
    """Return the items of each key; keys and items stay in the order in which they first occur."""
    groups: dict[GroupKey, list[Grouped]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


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

    def named(self, words: str) -> str:
        """Return ``words`` behind what tells this setting from the others, where there are any."""
        return f"{self.apart}: {words}" if self.apart else words


@dataclass(frozen=True)
class Beside:
    """The things that tables and pictures need beside their rows.

    ``laws`` are fitted to variances, ``made`` is the folder of what trained networks have made,
    ``plan`` the file of a plan; ``layers`` are those asked for, None where nobody asked.
    ``bias_test`` asks for the verdict on bias.
    """

    laws: Sequence[Row] = ()
    made: Path | None = None
    layers: Sequence[str] | None = None
    bias_test: bool = False
    plan: Path | None = None


def settings_of(rows: Iterable[Row], key: Sequence[str]) -> list[Comparable]:
    """Return the settings in the order in which they first occur.

    ``key`` names the columns that rows are known by; those of method, knobs and layer are left out.
    """
    names = [name for name in key if name not in _WITHIN]
    groups = grouped(rows, lambda row: tuple(_value(row, name) for name in names))
    columns = [dict(zip(names, values, strict=True)) for values in groups]
    varying = {name for name in names if len({each[name] for each in columns}) > 1}
    differing = [{n: v for n, v in each.items() if n in varying} for each in columns]
    said = [{n: v for n, v in each.items() if n in varying or _is_said(n, v)} for each in columns]
    titles, apart = _with_models(said, whole=True), _with_models(differing)
    return [
        Comparable(group, phrases(title), phrases(apart), suffix)
        for group, title, apart, suffix in zip(
            groups.values(), titles, apart, _suffixes(differing), strict=True
        )
    ]


def _with_models(
    columns: Sequence[Mapping[str, Cell]], whole: bool = False
) -> list[Mapping[str, Cell]]:
    """Return the columns with networks in words that tell one from another."""
    words = models_apart((str(each["model"]) for each in columns if "model" in each), whole)
    return [
        {**each, "model": words[str(each["model"])]} if "model" in each else each
        for each in columns
    ]


def by_estimator(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each method, whatever its dial, by its name in words."""
    return grouped(rows, estimator_words)


def by_layer(rows: Iterable[Row], layers: Sequence[str] | None = None) -> dict[str, list[Row]]:
    """Return the rows of each layer, in their order, the rows of all together last.

    Where ``layers`` are given, only these and all together are returned.
    """
    shown = grouped(rows, lambda row: str(row["layer"]))
    if layers is not None:
        shown = {name: some for name, some in shown.items() if name in (*layers, ALL_LAYERS)}
    return dict(sorted(shown.items(), key=lambda item: item[0] == ALL_LAYERS))


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


def reference_in(rows: Iterable[Row]) -> Row | None:
    """Return the row of that method, the first where there are several, or None."""
    return next(filter(is_reference, rows), None)


def is_exact(row: Row) -> bool:
    """Return whether a gradient differs from the exact one by no more than rounding."""
    return row["bias_verdict"] == "exact" or row["relative_error"] == 0


def notes_of(settings: Sequence[Comparable]) -> list[str]:
    """Return the messages of all configurations, each once, with the configurations it is about.

    The remark on a busy machine is apart from the others of a row, and last. A configuration that
    was not measured has a note even where it left no message.
    """
    rows = [(setting, row) for setting in settings for row in of_network(setting.rows)]
    told = [(setting, row, undisturbed(row["message"])) for setting, row in rows]
    noted = [(s, row, said) for s, row, said in told if said or row["status"] != "ok"]
    concerned = grouped(noted, lambda each: (ended(each[1]), each[2]))
    lines = grouped(rows, lambda pair: pair[0].named(method_words(pair[1])))
    notes = [
        note(
            [setting.named(method_words(row)) for setting, row, _ in some],
            *([] if how == "ok" else [how]),
            *filter(None, [message]),
        )
        for (how, message), some in concerned.items()
    ]
    messages = {name: [row["message"] for _, row in pairs] for name, pairs in lines.items()}
    return [*notes, *disturbances(messages)]


def note(names: Sequence[str], *said: str) -> str:
    """Return ``xconv multi r=8 and 3 more: out of memory``: what is said of whom."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return ": ".join([names[0] + more, *said])


def failures_of(setting: Comparable) -> Iterator[str]:
    """Yield ``xconv multi r=512: out of memory`` for each configuration that was not measured."""
    for row in of_network(setting.rows):
        if row["status"] != "ok":
            yield f"{method_words(row)}: {ended(row)}"


def file_suffix(words: Iterable[str]) -> str:
    """Return the end of a file name that says these words: ``_multi_r-8``."""
    return "".join(f"_{re.sub(r'[^A-Za-z0-9.-]+', '-', word)}" for word in words)


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
        text = file_suffix(words)[-_SUFFIX_CHARACTERS:]
        number, suffix = 1, text
        while suffix in suffixes:
            number += 1
            suffix = f"{text}_{number}"
        suffixes.append(suffix)
    return suffixes


def _suffix(name: str, value: Cell) -> str:
    if name == "memory_budget_bytes" and isinstance(value, int):
        return format_budget(value)
    if name == "model":
        return model_words(str(value))
    return _SUFFIXES.get(name, "{}").format(value)


@dataclass(frozen=True)
class Summary:
    """The rows of one configuration together.

    ``figures`` holds, by column, the median of what was read, in the column's unit; ``ratios``
    the median of its ratio to the exact row with the same setting, repeat and seed, where there
    is one; the exact rows have none. ``settings`` are the key columns but repeat and seed, with
    parameters and convolutions. ``messages`` are pairs of a status and what it comes with.
    """

    settings: dict[str, Cell]
    statuses: Counter[str]
    messages: list[tuple[str, str]]
    figures: dict[str, float]
    ratios: dict[str, float]

    @property
    def method(self) -> str:
        """Name of the method."""
        return str(self.settings["method"])

    @property
    def is_ok(self) -> bool:
        """Return whether at least one of the rows was measured to its end."""
        return self.statuses["ok"] > 0


def compared_columns() -> list[Column]:
    """Return the columns of ``memory.csv`` that people compare."""
    left_out = (*_FACTS, *_DISTURBANCES)
    figures = TABLES["memory"].figures
    return [column for column in figures if column.is_number and column.name not in left_out]


def summarize(rows: Sequence[Row]) -> list[Summary]:
    """Return one summary for each configuration, in the order in which they first occur."""
    groups = grouped(rows, lambda row: _values(row, _CONFIGURATION))
    references = {_values(row, _SETTING): row for row in rows if row["method"] == REFERENCE}
    return [_summarize(group, references) for group in groups.values()]


def varying(summaries: Sequence[Summary]) -> list[str]:
    """Return the columns that describe a setting in which the summaries differ."""
    return differing([summary.settings for summary in summaries])


def title(summaries: Sequence[Summary]) -> str:
    """Return what is the same for all: ``resnet50, batch 64, 224 px, float32, cpu``."""
    return phrases(common([summary.settings for summary in summaries], _TITLE))


def label(summary: Summary, setting: Sequence[str] = ()) -> str:
    """Return ``xconv multi r=8 relu``, after the columns of ``setting`` where there are any."""
    where = phrases({column: summary.settings[column] for column in setting})
    return f"{where}: {method_words(summary.settings)}" if where else method_words(summary.settings)


def outcome(summary: Summary) -> str:
    """Return ``ok``, ``out of memory``, or how many rows ended how."""
    counts = summary.statuses
    return counts_words(counts) if len(counts) > 1 else status_words(next(iter(counts)))


def _summarize(group: list[Row], references: Mapping[tuple[Cell, ...], Row]) -> Summary:
    settings = {column: group[0][column] for column in _CONFIGURATION}
    facts = {column: _first(row[column] for row in group) for column in _FACTS}
    messages = [(str(row["status"]), str(row["message"])) for row in group if row["message"]]
    figures: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    for row in group:
        reference = references.get(_values(row, _SETTING), {})
        for figure in compared_columns():
            value, exact = row[figure.name], reference.get(figure.name)
            if not isinstance(value, int | float):
                continue
            figures.setdefault(figure.name, []).append(value)
            if figure.is_compared and isinstance(exact, int | float) and exact and reference != row:
                ratios.setdefault(figure.name, []).append(value / exact)
    return Summary(
        settings={**settings, **facts},
        statuses=Counter(str(row["status"]) for row in group),
        messages=list(dict.fromkeys(messages)),
        figures={column: median(values) for column, values in figures.items()},
        ratios={column: median(values) for column, values in ratios.items()},
    )


def _values(row: Row, columns: Iterable[str]) -> tuple[Cell, ...]:
    return tuple(row[column] for column in columns)


def _first(values: Iterable[Cell]) -> Cell:
    return next((value for value in values if value is not None), None)
