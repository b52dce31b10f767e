"""The contents that a profile may have.

    title = "Largest batches in 16 GiB"
    about = "What fits, method by method."
    cost = "two minutes on two cores, no GPU"
    baseline = "baselines/mine"     # for thresholds that compare with one; beside the profile
    limits = ["max_batch/squeezenet1_0/xconv: max_batch_size >= 1.5 * exact"]

    [settings]                      # of all experiments that have such an option
    model = "squeezenet1_0"

    [[experiment]]
    command = "max-batch"
    image-size = [128, 256, 512]    # options of the command, without dashes

    [[threshold]]
    experiment = "max_batch"
    method = "exact"                # any column of the table
    metric = "max_batch_size"
    min = 70

A list gives an option several values; ``true`` switches a flag on, ``false`` off.
"""

from __future__ import annotations

from typing import Any

from xconv_bench.errors import UsageError, suggest

try:
    from pydantic import (
        BaseModel,
        ConfigDict,
        Field,
        StrictBool,
        StrictFloat,
        StrictInt,
        StrictStr,
    )
    from pydantic_core import ErrorDetails
except ImportError as error:  # run from a checkout, beside packages that somebody else chose
    raise UsageError("profiles need pydantic, version 2: pip install pydantic") from error

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Value = Scalar | list[StrictInt | StrictFloat | StrictStr]
Number = StrictInt | StrictFloat

_EXPECTED_VALUE = "a string, a number, true, false, or a list of strings or numbers"


class ExperimentTable(BaseModel):
    """``[[experiment]]``: a command, and options of it."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Value] = Field(init=False)

    command: StrictStr


class ThresholdTable(BaseModel):
    """``[[threshold]]``: limits of a metric; the keys beside these select rows by their columns."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, StrictStr | Number] = Field(init=False)

    experiment: StrictStr
    metric: StrictStr
    max: Number | None = None
    min: Number | None = None
    max_ratio_to_exact: Number | None = None
    min_ratio_to_exact: Number | None = None
    max_regression: StrictStr | Number | None = None
    noise: StrictBool = False


class ProfileTable(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid")

    title: StrictStr
    about: StrictStr = ""
    cost: StrictStr = ""
    baseline: StrictStr | None = None
    settings: dict[str, Value] = {}
    experiment: list[ExperimentTable] = Field(min_length=1)
    limits: list[StrictStr] = []
    set: list[StrictStr] = []
    """The settings of the command line, in the copy that a run keeps."""
    threshold: list[ThresholdTable] = []


def explain(error: ErrorDetails) -> str:
    """Describe a mistake in one line: where it is, what was given, and what is allowed."""
    place = _place(error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{place!r} is unknown: {suggest(place, ProfileTable.model_fields)}"
    if error["type"] == "missing":
        return f"{place} is missing: expected {_expected(error['loc'])}"
    if error["type"] == "too_short":
        return f"{place} is empty: expected one or more [[{place}]]"
    return f"{place} is {_shown(error['input'])}: expected {_expected(error['loc'])}"


def _place(location: tuple[int | str, ...]) -> str:
    """Return ``experiment 2: probes``: as a person counts, without the names of types."""
    words: list[str] = []
    for part in location:
        if isinstance(part, int):
            words[-1] += f" {part + 1}"
        elif _is_key(part):
            words.append(part)
    return ": ".join(words)


def _is_key(part: str) -> bool:
    """Drop the names of the types that pydantic has tried."""
    return not part.startswith(("list[", "union[")) and part not in ("int", "float", "str", "bool")


def _expected(location: tuple[int | str, ...]) -> str:
    keys = [part for part in location if isinstance(part, str) and _is_key(part)]
    last = keys[-1]
    if keys[0] == "settings" and len(keys) == 2:
        return _EXPECTED_VALUE
    if keys[0] == "experiment":
        single = 'a command such as "memory"' if last == "command" else _EXPECTED_VALUE
        return "[[experiment]], one or more" if len(keys) == 1 else single
    if keys[0] == "threshold" and len(keys) == 2:
        return _OF_A_THRESHOLD.get(last, "a string or a number")
    return _OF_A_PROFILE.get(last, "a table")


_OF_A_PROFILE = {
    "title": "a string",
    "about": "a string",
    "cost": "a string",
    "baseline": "the path of a folder, as a string",
    "settings": "a table of options",
    "limits": "a list of strings",
    "set": "a list of strings",
    "threshold": "[[threshold]], one or more",
}
_OF_A_THRESHOLD = {
    "experiment": "the name of a table, as a string",
    "metric": "the name of a column, as a string",
    "max": "a number",
    "min": "a number",
    "max_ratio_to_exact": "a number",
    "min_ratio_to_exact": "a number",
    "max_regression": 'a string such as "2%"',
    "noise": "true or false",
}


def _shown(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
