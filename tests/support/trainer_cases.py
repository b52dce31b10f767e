"""Helpers of the tests of trainers: the scripts of ``examples/``, and checkpoints compared."""

import runpy
import warnings
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from xconv_bench.errors import BenchError
from xconv_bench.models.torchvision_shim import import_torchvision

QUIET = pytest.mark.filterwarnings("ignore")
"""A mark for tests of trainers: the process that collects results would have to import the classes
of their warnings."""

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def package(name: str) -> ModuleType:
    """Return the package of a trainer; skips the test where it is not installed.

    Trainers import torchvision where it is installed, whether or not its extension loads.
    """
    with suppress(BenchError):
        import_torchvision()
    with warnings.catch_warnings(action="ignore"):
        return pytest.importorskip(name)


def example(name: str) -> dict[str, Any]:
    """Return what the script ``examples/NAME.py`` defines."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


def assert_equal(actual: Any, expected: Any) -> None:
    """Check for the same numbers to the last bit, by the same names, however nested."""
    if isinstance(expected, Tensor):
        assert torch.equal(actual, expected)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for name in expected:
            assert_equal(actual[name], expected[name])
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_equal(one, other)
    else:
        assert actual == expected
