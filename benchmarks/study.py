"""A study: commands of xconv-bench, and what of their runs is kept beside the page on them."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def measure(arguments: Sequence[str], run: Path) -> None:
    """Call ``xconv-bench`` into ``run``; exits where it fails."""
    command = [sys.executable, "-m", "xconv_bench", *arguments, "--output", str(run)]
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    if code:
        sys.exit(f"{' '.join(command)} ended with exit code {code}")


def keep(run: Path, folder: Path, patterns: Sequence[str]) -> None:
    """Copy what matches into ``folder``, without the folders that it lies in."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in patterns:
        for path in run.glob(pattern):
            shutil.copyfile(path, folder / path.name)
