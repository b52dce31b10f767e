"""The examples in the docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import xconv

MODULES = ["xconv", *(m.name for m in pkgutil.walk_packages(xconv.__path__, "xconv."))]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    # Not `xconv.account`: in the package, functions stand before the modules of that name.
    results = doctest.testmod(importlib.import_module(name), extraglobs=vars(xconv))
    assert results.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    found = [t for name in MODULES for t in finder.find(importlib.import_module(name))]
    assert sum(bool(test.examples) for test in found) >= 2
