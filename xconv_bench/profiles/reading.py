"""A profile, read and with settings of the command line in place of its own."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from xconv_bench.errors import UsageError
from xconv_bench.profiles.schema import ExperimentTable, ProfileTable, ThresholdTable, explain
from xconv_bench.thresholds.limit import Bounds, Limit, limits_of, read_limit

_RESERVED = ("output",)
_SET = "set"
_NO_TOML = (ValueError, RecursionError)
"""A mistake, a number of thousands of digits, bytes that are no UTF-8, brackets without end."""


@dataclass(frozen=True)
class Planned:
    """An experiment of a profile: a command and its options, before anyone has looked at them."""

    command: str
    options: Mapping[str, Any]

    @property
    def words(self) -> list[str]:
        """Return the command line behind ``xconv-bench``: ``--option value``, or a flag alone."""
        return [self.command, *(word for item in self.options.items() for word in _words(*item))]


@dataclass(frozen=True)
class Profile:
    """``text`` is the file with what was set in it, to be read again.

    ``baseline`` is a path that can be opened. ``settings`` hold for all experiments that have such
    an option and do not say another.
    """

    path: Path
    text: str
    title: str
    about: str
    cost: str
    settings: Mapping[str, Any]
    experiments: tuple[Planned, ...]
    limits: tuple[Limit, ...]
    baseline: Path | None


def read_profile(path: Path, overrides: Sequence[str] = ()) -> Profile:
    """Read a profile; each override is ``key=value`` or ``command.key=value``.

    Raises UsageError, one line, for a file that is none and for an override that cannot be read.
    """
    text, document = _parse(path)
    overrides = [*_own_overrides(document), *overrides]
    for override in overrides:
        _set(document, override)
    try:
        table = ProfileTable.model_validate(document)
    except ValidationError as error:
        # A key that is misspelt is missing, too.
        first, *_ = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        raise UsageError(f"{path}: {explain(first)}") from error
    try:
        planned = tuple(_planned(n, each) for n, each in enumerate(table.experiment, 1))
        _refuse_empty("settings", table.settings)
        limits = [read_limit(text) for text in table.limits]
        limits += [limit for each in table.threshold for limit in _limits(each)]
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return Profile(
        path=path,
        text=_with_overrides(text, overrides),
        title=table.title,
        about=table.about,
        cost=table.cost,
        settings=table.settings,
        experiments=planned,
        limits=tuple(limits),
        baseline=None if table.baseline is None else path.parent / table.baseline,
    )


def _parse(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text("utf-8-sig")  # with the mark that some editors begin a file with
        return text, tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except _NO_TOML as error:
        raise UsageError(f"{path} is not TOML: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "tables too deep"
    return "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _own_overrides(document: Mapping[str, Any]) -> list[str]:
    """Return the overrides of an earlier command line, which its run kept in the first line."""
    given = document.get("set", [])
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []


def _with_overrides(text: str, overrides: Sequence[str]) -> str:
    """Return the file with the overrides in its first line: a list in JSON is one in TOML."""
    first, _, rest = text.partition("\n")
    own = rest if first.startswith(f"{_SET} = ") else text
    return f"{_SET} = {json.dumps(list(overrides))}\n{own}" if overrides else text


def _planned(number: int, table: ExperimentTable) -> Planned:
    options = dict(table.__pydantic_extra__)
    where = f"experiment {number} ({table.command})"
    for option in _RESERVED:
        if option in options:
            raise UsageError(f"{where}: {option} is given to xconv-bench run, not in a profile")
    _refuse_empty(where, options)
    return Planned(table.command, options)


def _limits(table: ThresholdTable) -> list[Limit]:
    return limits_of(
        table.experiment,
        table.__pydantic_extra__,
        table.metric,
        Bounds(
            table.max,
            table.min,
            table.max_ratio_to_exact,
            table.min_ratio_to_exact,
            table.max_regression,
        ),
        table.noise,
    )


def _refuse_empty(where: str, options: Mapping[str, Any]) -> None:
    for option, value in options.items():
        if value == []:
            raise UsageError(f"{where}: {option} is empty: expected at least one value")


def _set(document: dict[str, Any], override: str) -> None:
    """Put a value in the place of what the profile says, for all experiments or those of one."""
    key, equals, text = override.partition("=")
    command, dot, option = key.strip().rpartition(".")
    if not equals or not option or (dot and not command):
        raise UsageError(f"--set {override!r}: expected key=value or command.key=value")
    value = _value(text.strip())
    experiments = document.get("experiment")
    tables = [each for each in experiments or [] if isinstance(each, dict)]
    if command:
        chosen = [table for table in tables if table.get("command") == command]
        if not chosen:
            raise UsageError(f"--set {override!r}: the profile has no experiment {command!r}")
        for table in chosen:
            table[option] = value
        return
    for table in tables:
        table.pop(option, None)
    settings = document.setdefault("settings", {})
    if isinstance(settings, dict):
        settings[option] = value


def _value(text: str) -> Any:
    """Return ``8``, ``[8, 32]`` and ``true`` as TOML has them; anything else is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except _NO_TOML:
        return text


def _words(option: str, value: Any) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if each is False:
            continue
        yield f"--{option}"
        if each is not True:
            yield str(each)
