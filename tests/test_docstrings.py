"""The examples in the docstrings run and print what they say."""

import doctest
import importlib
import inspect
from typing import Any

import pytest
import torch
from package_modules import MODULES

import xconv
from xconv.conversion import FAMILIES
from xconv.schemes import SCHEMES


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    known = {"torch": torch, "nn": torch.nn, **vars(xconv)}
    names = known if name.partition(".")[0] == "xconv" else {}
    module = importlib.import_module(name)
    if ">>> " not in inspect.getsource(module):  # a search through its objects takes longer
        return
    results = doctest.testmod(module, extraglobs=names)
    assert results.attempted > 0
    assert results.failed == 0


def public_things() -> list[Any]:
    """Everything that ``xconv`` offers by name: functions, layers, schemes, swapped modules."""
    offered = [getattr(xconv, name) for name in xconv.__all__ if name != "functional"]
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
