"""Revision of xconv-bench that runs, where it runs from a git checkout."""

import subprocess
from pathlib import Path
from typing import TypedDict

_CHECKOUT = Path(__file__).resolve().parents[2]
_LONGEST_WAIT_SECONDS = 10


class Source(TypedDict):
    """``revision`` is a commit; ``dirty`` says whether tracked files differ from it."""

    revision: str | None
    dirty: bool | None


def read_source(checkout: Path = _CHECKOUT) -> Source:
    """Return the state of the checkout; None in both where there is none or git cannot say."""
    # An installed package may lie inside some other project's checkout: that one says nothing.
    if not (checkout / ".git").exists():
        return Source(revision=None, dirty=None)
    changes = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    return Source(
        revision=_git(checkout, "rev-parse", "HEAD"),
        dirty=None if changes is None else bool(changes),
    )


def _git(checkout: Path, *arguments: str) -> str | None:
    """Return what git prints; None where it is missing, fails or hangs."""
    command = ["git", "--no-optional-locks", "-C", str(checkout), *arguments]
    try:
        finished = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_LONGEST_WAIT_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return finished.stdout.strip()
