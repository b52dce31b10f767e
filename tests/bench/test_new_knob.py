"""A new knob is its declaration and the method that reads it; all the rest follows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]

KNOB = """
    strength: int | None = _knob(
        read=partial(parsing.integers, least=1),
        metavar="N",
        help="Number of times that repeated repeats itself.",
        default="1",
        phrase="{} times",
        is_dial=True,
    )
"""
METHOD = '''"""A method that does nothing, as often as it is told."""

from xconv_bench.methods.base import Method


class Repeated(Method):
    name = "repeated"
    knobs = ("strength",)

    def apply(self, model, configuration):
        return model

    def remark(self, model, configuration):
        return " ".join(["nothing"] * configuration.strength)
'''
PROFILE = """
title = "A new knob"

[[experiment]]
command = "memory"
model = "paper/mnist"
simulate = true
cross-check = false
method = "repeated"
strength = [2, 3]
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the knob, the method and its line in the registry."""
    folder = tmp_path_factory.mktemp("checkout")
    package = folder / "xconv_bench"
    shutil.copytree(
        ROOT / "xconv_bench", package, ignore=shutil.ignore_patterns("__pycache__", "shipped")
    )
    knobs = package / "knobs.py"
    declared, end, rest = knobs.read_text().partition("\n\nKNOBS = {")
    assert end
    knobs.write_text(declared + KNOB + end + rest)
    (package / "methods/repeated.py").write_text(METHOD)
    registry = package / "methods/__init__.py"
    first = "METHODS = {\n"
    line = '    "repeated": "xconv_bench.methods.repeated:Repeated",\n'
    assert first in registry.read_text()
    registry.write_text(registry.read_text().replace(first, first + line))
    return folder


def run(checkout: Path, *arguments: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "xconv_bench", *arguments], cwd=checkout, capture_output=True,
        text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{checkout}:{ROOT}", "COLUMNS": "200"},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("command", ["memory", "frontier", "train"])
def test_it_is_an_option_with_help(checkout: Path, command: str) -> None:
    (line,) = [line for line in run(checkout, command, "--help").splitlines() if "--stren" in line]
    assert "N... Number of times that repeated repeats itself. [default: 1]" in " ".join(
        line.split()
    )


def test_it_is_a_setting_of_profiles_a_column_a_dimension_and_words(checkout: Path) -> None:
    (checkout / "profile.toml").write_text(PROFILE)
    printed = run(checkout, "run", "profile.toml", "--output", "results")
    table = pd.read_csv(checkout / "results/memory.csv")
    before, after = (list(table.columns).index(name) for name in ("plan", "batch_size"))
    assert list(table.columns)[before + 1 : after] == ["strength"]
    assert list(table.method) == ["repeated"] * 2
    assert list(table.strength) == [2, 3]
    assert list(table.message) == ["nothing nothing", "nothing nothing nothing"]
    assert "repeated 2 times" in printed and "repeated 3 times" in printed


def test_tables_from_before_it_are_read(checkout: Path) -> None:
    baseline = ROOT / "profiles/baselines/ci"
    assert "strength" not in (baseline / "memory.csv").read_text()
    shutil.copytree(baseline, checkout / "older")
    program = (
        "from pathlib import Path\n"
        "from xconv_bench.results.reading import read_tables\n"
        "rows = read_tables(Path('older'), {'memory'})['memory']\n"
        "print(rows[0]['model'], {row['strength'] for row in rows})\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{checkout}:{ROOT}"},
    )  # fmt: skip
    assert finished.stderr == ""
    assert finished.stdout.endswith("{None}\n")


@pytest.mark.parametrize("knob", ["segments", "distribution", "norm_bits"])
def test_a_knob_is_named_where_it_is_declared_and_where_it_is_read(knob: str) -> None:
    sources = (ROOT / "xconv_bench").rglob("*.py")
    naming = {path.stem for path in sources if re.search(rf"\b{knob}\b", path.read_text())}
    assert "knobs" in naming and len(naming) <= 4, naming
