"""The parts that messages about models have in common, each one line."""

import difflib
import re
import traceback
from collections.abc import Iterable
from pathlib import Path

_ADVICE = {
    r"to have \d+ channels, but got 3 channels": "images have 3 channels unless the file or the "
    "network defines sample_shape(image_size)",
    r"forward\(\) missing \d+ required": "a network that takes more than images needs inputs of "
    "your own (docs/own_models.md)",
}
"""Advice to who meets an error of torch or Python, by the words in it."""


def reason(error: BaseException) -> str:
    """Say what went wrong and where: ``NameError: name 'x' is not defined (net.py, line 3)``.

    Advice follows where an error is known to be a common mistake.
    """
    return "; ".join([_described(error), *_advice(str(error))])


def _advice(text: str) -> list[str]:
    return [advice for words, advice in _ADVICE.items() if re.search(words, text)]


def _described(error: BaseException) -> str:
    text = " ".join(str(error).split())
    described = f"{type(error).__name__}: {text}" if text else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or isinstance(error, (SyntaxError, ImportError)):  # these say it themselves
        return described
    return f"{described} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean a or b?"``, the nearest first, or nothing where none is near."""
    near = difflib.get_close_matches(name, list(names))
    return f"; did you mean {' or '.join(near)}?" if near else ""
