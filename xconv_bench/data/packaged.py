"""Files that come with installed packages, found without importing these."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from xconv_bench.errors import BenchError


def path_in(package: str, file: str) -> Path:
    """Return the path of a package's file; to import the package would take longer than to read it.

    Raises BenchError where the package is not installed.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise BenchError(
            f"{Path(file).name} comes with {package}: install scikit-learn and scikit-image"
        )
    return Path(spec.origin).parent / file
