"""Tell the user how to resume a command that was interrupted."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench import interrupts
from xconv_bench.cli.streams import tell

if TYPE_CHECKING:
    from xconv_bench.results.run_directory import RunDirectory


@contextmanager
def resumable(
    run: RunDirectory, arguments: Callable[[Path], list[str]] | None = None
) -> Iterator[None]:
    """Tell on standard error, on an interrupt, which command resumes the run.

    ``arguments`` makes the arguments of that command from the run directory. Without it, they are
    those of this command, with ``--output`` set to the run directory.
    """
    try:
        yield
        interrupts.check()
    except BaseException:
        if interrupts.have_arrived():
            words = _same(run.path) if arguments is None else arguments(run.path)
            tell(f"interrupted: what was measured is kept in {run.path}; go on with:")
            tell(f"  {shlex.join([*_program(), *words])}")
        raise


def _same(directory: Path) -> list[str]:
    """Return the arguments of this command, with ``directory`` as its output."""
    words = iter(sys.argv[1:])
    kept = []
    for word in words:
        if word == "--output":
            next(words, None)
        elif not word.startswith("--output="):
            kept.append(word)
    return [*kept, "--output", str(directory)]


def _program() -> list[str]:
    """Return what the user typed before the arguments, or an equivalent."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py":
        return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    found = shutil.which(script.name)
    is_on_path = found is not None and Path(found).resolve() == script.resolve()
    return [script.name if is_on_path else str(script)]
