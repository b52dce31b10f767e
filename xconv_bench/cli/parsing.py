"""Values of the options that sweep: repeated, or separated by commas."""

from collections.abc import Collection, Iterable

from xconv_bench.errors import UsageError


def words(option: str, given: Iterable[str]) -> tuple[str, ...]:
    """Whatever stands between commas, each once. Raises UsageError where there is nothing."""
    found = [word.strip() for value in given for word in value.split(",")]
    distinct = tuple(dict.fromkeys(word for word in found if word))
    if not distinct:
        raise UsageError(f"{option} is empty: give at least one value")
    return distinct


def names(option: str, given: Iterable[str], allowed: Collection[str]) -> tuple[str, ...]:
    """Words, each once. Raises UsageError for one that is not allowed."""
    found = words(option, given)
    for word in found:
        if word not in allowed:
            raise UsageError(
                f"{option} {word!r} is unknown: choose from {', '.join(sorted(allowed))}"
            )
    return found


def integers(option: str, given: Iterable[str], least: int) -> tuple[int, ...]:
    """Integers, each once. Raises UsageError for anything else and for less than ``least``."""
    return tuple(dict.fromkeys(_integer(option, word, least) for word in words(option, given)))


def families(option: str, given: Iterable[str], allowed: Collection[str]) -> tuple[str, ...]:
    """Each value a comma-separated set, in the order of ``allowed``. Raises UsageError."""
    sets = [set(names(option, [value], allowed)) for value in given]
    ordered = [",".join(name for name in allowed if name in chosen) for chosen in sets]
    return tuple(dict.fromkeys(ordered))


def _integer(option: str, word: str, least: int) -> int:
    try:
        value = int(word)
    except ValueError:
        value = least - 1
    if value < least:
        raise UsageError(f"{option} {word!r}: expected an integer of {least} or more")
    return value
