"""What to say when a command is stopped in the middle: how to go on."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xconv_bench.results.run_directory import RunDirectory


@contextmanager
def resumable(run: RunDirectory) -> Iterator[None]:
    """On an interrupt, tell on standard error with which command the run goes on."""
    try:
        yield
    except KeyboardInterrupt:
        print(
            f"interrupted: what was measured is kept in {run.path}; go on with:\n  {_command(run)}",
            file=sys.stderr,
        )
        raise


def _command(run: RunDirectory) -> str:
    """This command as it was given, but into the directory of ``run``."""
    words = iter(sys.argv[1:])
    kept = []
    for word in words:
        if word == "--output":
            next(words, None)
        elif not word.startswith("--output="):
            kept.append(word)
    return shlex.join([*_program(), *kept, "--output", str(run.path)])


def _program() -> list[str]:
    """What the user typed before the arguments, or what does the same."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py":
        return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    found = shutil.which(script.name)
    is_on_path = found is not None and Path(found).resolve() == script.resolve()
    return [script.name if is_on_path else str(script)]
