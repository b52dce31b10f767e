"""No name of a package hides a module of it: ``import xconv.conversion`` finds what it says."""

import importlib
import pickle
import pickletools
import pkgutil

import pytest
from layer_cases import small_network
from package_modules import MODULES

import xconv
import xconv.accounting
import xconv.conversion


@pytest.mark.parametrize("package", ["xconv", "xconv_bench"])
def test_nothing_in_a_package_hides_a_module(package: str) -> None:
    hidden = []
    for name in MODULES:
        parent, _, own = name.rpartition(".")
        if parent.partition(".")[0] == package:
            module = importlib.import_module(name)
            found = getattr(importlib.import_module(parent), own)
            hidden += [name] if found is not module else []
    assert hidden == []


def test_no_public_name_is_that_of_a_file() -> None:
    """The order of imports alone would hide it; ``functional`` is a module on purpose."""
    files = {each.name for each in pkgutil.iter_modules(xconv.__path__)}
    assert files & set(xconv.__all__) == {"functional"}


def test_functions_and_modules_both_mean_what_they_say() -> None:
    assert xconv.convert is xconv.conversion.convert
    assert xconv.account is xconv.accounting.account


def test_pickles_name_neither_module() -> None:
    """Pickles of an older version can be read: converting leaves no name of its file in them."""
    kept = pickle.dumps(xconv.convert(small_network(), compress="all"))
    names = {str(argument) for _, argument, _ in pickletools.genops(kept)}
    assert any(name.startswith("xconv.modules") for name in names)
    wrong = ("xconv.conversion", "xconv.accounting", "xconv.convert", "xconv.account")
    assert not any(name.startswith(wrong) for name in names)
