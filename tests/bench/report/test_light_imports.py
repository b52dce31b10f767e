"""The command line imports these modules for ``--help``: they must not import what is heavy."""

import subprocess
import sys
from pathlib import Path

import xconv_bench

PACKAGE = Path(xconv_bench.__file__).parent

PROGRAM = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
heavy = {"torch", "pandas", "matplotlib", "numpy", "rich"}
print(sorted(heavy & sys.modules.keys()))
"""


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    modules = [
        f"xconv_bench.{folder.replace('/', '.')}.{path.stem}"
        for folder in ("results", "report", "report/canvas", "report/pictures")
        for path in sorted((PACKAGE / folder).glob("*.py"))
        if path.stem != "picture"  # a subclass of matplotlib's, imported where something is drawn
    ]
    assert len(modules) > 10
    command = [sys.executable, "-c", PROGRAM, *modules]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stdout == "[]\n"
