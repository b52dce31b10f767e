"""Profiles: plans in TOML, a list of commands with their options.

    title = "Largest batches in 16 GiB"

    [[run]]
    command = "max-batch"
    model = ["squeezenet1_0"]
    image-size = [128, 256, 512]

The options are those of the command, without the dashes. A list gives an option several values,
``true`` a flag.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xconv_bench.errors import UsageError

_RESERVED = ("output",)


@dataclass(frozen=True)
class Profile:
    """A title, and the words of each command line behind ``xconv-bench``."""

    title: str
    commands: tuple[tuple[str, ...], ...]


def read_profile(path: Path) -> Profile:
    """Read a profile. Raises UsageError, one line, for a file that is none."""
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    unknown = sorted(content.keys() - {"title", "run"})
    if unknown:
        raise UsageError(f"{path}: {unknown[0]!r} is unknown; a profile has a title and [[run]]")
    runs = content.get("run")
    if not isinstance(runs, list) or not runs or not all(isinstance(run, dict) for run in runs):
        raise UsageError(f"{path} has no [[run]]: expected one for each command")
    commands = tuple(_command(path, run) for run in runs)
    return Profile(str(content.get("title", path.stem)), commands)


def _command(path: Path, run: Mapping[str, Any]) -> tuple[str, ...]:
    name = run.get("command")
    if not isinstance(name, str):
        raise UsageError(f'{path}: a [[run]] has no command: expected command = "memory", say')
    options = {option: value for option, value in run.items() if option != "command"}
    for option in _RESERVED:
        if option in options:
            raise UsageError(f"{path}: {option} is given to xconv-bench run, not in a profile")
    return (name, *(word for option, value in options.items() for word in _words(option, value)))


def _words(option: str, value: Any) -> Iterator[str]:
    """``--option value`` for each value; a flag alone."""
    for each in value if isinstance(value, list) else [value]:
        if each is False:
            continue
        yield f"--{option}"
        if each is not True:
            yield str(each)
