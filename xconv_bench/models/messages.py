"""The parts that messages about models have in common, each one line."""

import difflib
import re
import traceback
from collections.abc import Iterable
from pathlib import Path


def reason(error: BaseException) -> str:
    """Say what went wrong and where: ``NameError: name 'x' is not defined (net.py, line 3)``."""
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
