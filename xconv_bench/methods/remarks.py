"""What a row says of the modules that a method leaves as they are."""

from collections import Counter
from collections.abc import Sequence


def left_exact(family: str, reasons: Sequence[str | None]) -> str:
    """``4 of 20 conv modules are exact: 4 × reason``; nothing where all are compressed.

    ``reasons``: one a module, why it is exact, None where it is compressed.

    >>> left_exact("conv", ["too small", None, "too small"])
    '2 of 3 conv modules are exact: 2 × too small'
    """
    if not reasons:
        return f"there are no {family} modules (calls of functions are not seen)"
    counts = Counter(reason for reason in reasons if reason is not None)
    if not counts:
        return ""
    words = ", ".join(f"{count} × {reason}" for reason, count in counts.most_common())
    return f"{counts.total()} of {len(reasons)} {family} modules are exact: {words}"
