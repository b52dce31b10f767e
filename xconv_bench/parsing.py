"""Read values of options: several, repeated or separated by commas, and sizes in bytes."""

import re
from collections.abc import Collection, Iterable
from fractions import Fraction
from math import inf

from xconv_bench.errors import UsageError, suggest

_SIZE = re.compile(
    r"(?P<number>\d+(\.\d+)?)\s*((?P<prefix>[KMGT])(?P<binary>i?)B|B)?", re.ASCII | re.IGNORECASE
)
_PREFIXES = "KMGT"
_LONGEST_NUMBER = 40
_OPEN, _CLOSED = "([{", ")]}"
_SMALLEST_SIZE_BYTES, _LARGEST_SIZE_BYTES = 2**10, 2**60
ALL = "all"
"""Stands for every one of several names."""
LARGEST_COUNT = 2**31 - 1
"""The largest count of anything: more than a tensor can have elements is a typing mistake."""


def words(option: str, given: Iterable[str]) -> tuple[str, ...]:
    """Return the words between commas, each once. Raises UsageError where there is none.

    Commas in brackets belong to a word, as in ``name(a=[1, 2], b=3)``.
    """
    found = [word.strip() for value in given for word in _between_commas(value)]
    distinct = tuple(dict.fromkeys(word for word in found if word))
    if not distinct:
        raise UsageError(f"{option} is empty: give at least one value")
    return distinct


def _between_commas(text: str) -> list[str]:
    depth = 0
    pieces = [""]
    for letter in text:
        depth += (letter in _OPEN) - (letter in _CLOSED)
        if letter == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    # Brackets that do not match say nothing: they may be part of a file's name.
    return pieces if depth == 0 else text.split(",")


def names(option: str, given: Iterable[str], allowed: Collection[str]) -> tuple[str, ...]:
    """Return the words, each once. Raises UsageError for one that is not allowed."""
    found = words(option, given)
    for word in found:
        if word not in allowed:
            raise UsageError(f"{option} {_shown(word)} is unknown: {suggest(word, allowed)}")
    return found


def integers(option: str, given: Iterable[str], least: int) -> tuple[int, ...]:
    """Return integers, each once. Raises UsageError for anything else, or below ``least``."""
    return tuple(dict.fromkeys(_integer(option, word, least) for word in words(option, given)))


def fractions(option: str, given: Iterable[str]) -> tuple[float, ...]:
    """Return numbers above 0 and up to 1, each once. Raises UsageError for anything else."""
    return tuple(dict.fromkeys(_fraction(option, word) for word in words(option, given)))


def numbers(option: str, given: Iterable[str]) -> tuple[float, ...]:
    """Return finite numbers above 0, each once. Raises UsageError for anything else."""
    return tuple(dict.fromkeys(_number(option, word) for word in words(option, given)))


def families(option: str, given: Iterable[str], allowed: Collection[str]) -> tuple[str, ...]:
    """Return each value as a comma-separated set in the order of ``allowed``; ``all`` is all.

    Raises UsageError for a name that is not allowed.
    """
    sets = [set(names(option, [value], [*allowed, ALL])) for value in given]
    sets = [set(allowed) if ALL in chosen else chosen for chosen in sets]
    ordered = [",".join(name for name in allowed if name in chosen) for chosen in sets]
    return tuple(dict.fromkeys(ordered))


def size_in_bytes(option: str, text: str) -> int:
    """Return a size in bytes, at least 1024. Raises UsageError for anything that is no size.

    A smaller one is a unit that was forgotten: no network fits into it.

    >>> size_in_bytes("--memory-budget", "16GiB"), size_in_bytes("--memory-budget", "1.5 kB")
    (17179869184, 1500)
    """
    match = _SIZE.fullmatch(text.strip()) if len(text) <= _LONGEST_NUMBER else None
    size = int(Fraction(match["number"]) * _unit(match)) if match else 0
    if not 1 <= size <= _LARGEST_SIZE_BYTES:
        raise UsageError(
            f"{option} {_shown(text)}: expected a size such as 16GiB, 8GB, 500 MiB or a number of "
            "bytes"
        )
    if match and size < _SMALLEST_SIZE_BYTES:
        number = match["number"]
        raise UsageError(f"{option} {_shown(text)}: {size} bytes? write {number}GiB or {number}MiB")
    return size


def _unit(match: re.Match[str]) -> int:
    power = _PREFIXES.index(match["prefix"].upper()) + 1 if match["prefix"] else 0
    return int((1024 if match["binary"] else 1000) ** power)


def _number(option: str, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 0 < value < inf:
        raise UsageError(f"{option} {_shown(word)}: expected a number above 0")
    return value


def _fraction(option: str, word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise UsageError(f"{option} {_shown(word)}: expected a number above 0 and up to 1")
    return value


def _integer(option: str, word: str, least: int) -> int:
    try:
        value = int(word)
    except ValueError:
        value = least - 1
    if value < least:
        raise UsageError(f"{option} {_shown(word)}: expected an integer of {least} or more")
    if value > LARGEST_COUNT:
        raise UsageError(f"{option} {_shown(word)}: expected an integer up to {LARGEST_COUNT}")
    return value


def _shown(given: str) -> str:
    text = repr(given)
    return text if len(text) <= _LONGEST_NUMBER else f"{text[:_LONGEST_NUMBER]}..."
