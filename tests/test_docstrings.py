"""The examples in the docstrings run and print what they say."""

import doctest
import importlib
import importlib.util
import pkgutil

import pytest
import torch

import xconv
import xconv_bench

HAS_TRITON = importlib.util.find_spec("triton") is not None
"""Without which kernels cannot be imported."""

MODULES = [
    package.__name__ if module is None else module.name
    for package in (xconv, xconv_bench)
    for module in (None, *pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    if module is None or not module.name.endswith("__main__")
    if module is None or HAS_TRITON or not module.name.startswith("xconv.kernels.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    # Not `xconv.account`: in the package, functions stand before the modules of that name.
    known = {"torch": torch, "nn": torch.nn, **vars(xconv)}
    names = known if name.partition(".")[0] == "xconv" else {}
    results = doctest.testmod(importlib.import_module(name), extraglobs=names)
    assert results.failed == 0


@pytest.mark.parametrize(("package", "fewest"), [("xconv", 2), ("xconv_bench", 6)])
def test_there_are_examples(package: str, fewest: int) -> None:
    finder = doctest.DocTestFinder()
    own = [name for name in MODULES if name.partition(".")[0] == package]
    found = [t for name in own for t in finder.find(importlib.import_module(name))]
    assert sum(bool(test.examples) for test in found) >= fewest
