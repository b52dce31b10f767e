"""Commands of xconv-bench whose results a page presents, and the copy that is kept beside it."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def measure(arguments: Sequence[str], run: Path) -> None:
    """Call ``xconv-bench`` with its output in ``run``; exit if it fails."""
    command = [sys.executable, "-m", "xconv_bench", *arguments, "--output", str(run)]
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    if code:
        sys.exit(f"{' '.join(command)} ended with exit code {code}")


def keep(run: Path, folder: Path, patterns: Sequence[str]) -> None:
    """Copy the files that match ``patterns`` into ``folder``, without their parent folders."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in patterns:
        for path in run.glob(pattern):
            shutil.copyfile(path, folder / path.name)
