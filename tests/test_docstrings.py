"""The examples in the docstrings run and print what they say."""

import doctest
import importlib
import importlib.util
import pkgutil
from typing import Any

import pytest
import torch

import xconv
import xconv_bench
from xconv.convert import FAMILIES
from xconv.schemes import SCHEMES

HAS_TRITON = importlib.util.find_spec("triton") is not None
"""Whether kernels can be imported."""

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


UNWRITTEN = ("account", "convert", "revert")
"""Names that have no example yet; the list only gets shorter."""


def public_things() -> list[Any]:
    """Everything that ``xconv`` offers by name: functions, layers, schemes, swapped modules."""
    left_out = ("functional", *UNWRITTEN)
    offered = [getattr(xconv, name) for name in xconv.__all__ if name not in left_out]
    functions = [getattr(xconv.functional, name) for name in xconv.functional.__all__]
    swapped = [ours for family in FAMILIES.values() for ours in family.values()]
    schemes = [type(scheme) for scheme in SCHEMES.values()]
    return [*dict.fromkeys([*offered, *functions, *swapped, *schemes])]


@pytest.mark.parametrize("thing", public_things(), ids=lambda thing: thing.__name__)
def test_what_is_public_has_an_example(thing: Any) -> None:
    own = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    assert ">>> " in (own or "")


@pytest.mark.parametrize(("package", "fewest"), [("xconv", 2), ("xconv_bench", 6)])
def test_there_are_examples(package: str, fewest: int) -> None:
    finder = doctest.DocTestFinder()
    own = [name for name in MODULES if name.partition(".")[0] == package]
    found = [t for name in own for t in finder.find(importlib.import_module(name))]
    assert sum(bool(test.examples) for test in found) >= fewest
