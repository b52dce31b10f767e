"""The profiles that come with the package, found by their names."""

from __future__ import annotations

from pathlib import Path

from xconv_bench.errors import UsageError, suggest
from xconv_bench.paths import is_file, is_folder, is_there

# In a checkout they lie at the top; a wheel has them beside this file.
_CHECKOUT = Path(__file__).resolve().parents[2] / "profiles"
_INSTALLED = Path(__file__).resolve().parent / "shipped"


def shipped_profiles() -> dict[str, Path]:
    """Return the files of profiles by name, such as ``ci`` and ``paper/max_batch``."""
    folder = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
    files = sorted(folder.rglob("*.toml"))
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def find_profile(name: str) -> Path:
    """Return the file of a profile, by its path or its shipped name. Raises UsageError."""
    path = Path(name)
    if is_file(path):
        return path
    shipped = shipped_profiles()
    if name in shipped:
        return shipped[name]
    if path.suffix == ".toml" or is_there(path):
        reason = "is a folder" if is_folder(path) else "does not exist"
        raise UsageError(f"profile {name} {reason}: expected a TOML file, or the name of one "
                         "of `xconv-bench profiles`")  # fmt: skip
    raise UsageError(f"profile {name!r} is unknown: {suggest(name, shipped)}")
