"""The remark on a busy machine, which nearly all rows have or none: said once for all of them."""

from collections.abc import Iterator, Mapping, Sequence

from xconv_bench.meters.waiting import REMARK
from xconv_bench.results.schema import Cell

_BETWEEN = "; "


def undisturbed(message: Cell) -> str:
    """Return a message without that remark; nothing where there is no message."""
    parts = str(message or "").split(_BETWEEN)
    return _BETWEEN.join(part for part in parts if part != REMARK)


def is_disturbed(message: Cell) -> bool:
    """Return whether a message has that remark."""
    return REMARK in str(message or "").split(_BETWEEN)


def disturbances(messages: Mapping[str, Sequence[Cell]]) -> Iterator[str]:
    """Yield the remark with the names of the lines that have it, where there are any.

    ``messages`` holds those of each line, by its name.
    """
    names = [name for name, said in messages.items() if any(map(is_disturbed, said))]
    if names:
        who = "all rows" if len(names) == len(messages) > 1 else ", ".join(names)
        yield f"{who}: {REMARK}"
