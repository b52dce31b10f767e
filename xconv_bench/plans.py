"""Plans by their labels: the path of a file, and a digest of what it holds, for rows to show."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    from xconv import Plan

_MARK = "@"
_DIGEST_BYTES = 4


def label_of(path: str | Path) -> str:
    """Return ``PATH@DIGEST``. Raises UsageError for a file that holds no plan."""
    _read(Path(path))
    return f"{path}{_MARK}{_digest(Path(path))}"


def plan_of(label: str) -> Plan:
    """Return the plan of a label. Raises UsageError where the file is not what it was."""
    path, _, digest = label.rpartition(_MARK)
    plan = _read(Path(path))
    if _digest(Path(path)) != digest:
        raise UsageError(f"--plan {path} was changed meanwhile: run the command again")
    return plan


def _read(path: Path) -> Plan:
    from xconv import Plan

    try:
        return Plan.read(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"--plan {error}") from error


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=_DIGEST_BYTES).hexdigest()
