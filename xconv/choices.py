"""Words that name one of several things: what is said where a word names none."""

import difflib
from collections.abc import Iterable, Sequence


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'spectral'?``, or the choice where no word is near.

    >>> suggest("spectrl", ["multi", "spectral"]), suggest("x", ["multi", "spectral"])
    ("did you mean 'spectral'?", 'choose from multi, spectral')
    """
    words = list(known)
    near = nearest(word, words)
    return f"did you mean {near!r}?" if near else f"choose from {', '.join(words)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like ``word``; an empty one where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1) if isinstance(word, str) else []
    return near[0] if near else ""


def check_word(name: str, word: str, allowed: Sequence[str]) -> None:
    """Raise ValueError where ``word``, the value of the argument ``name``, is not allowed."""
    if word not in allowed:
        raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}; got {word!r}")
