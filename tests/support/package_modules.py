"""The modules of both packages by name, as far as they can be imported here."""

import importlib.util
import pkgutil

import xconv
import xconv_bench

HAS_TRITON = importlib.util.find_spec("triton") is not None
"""Whether kernels can be imported."""

MODULES = [
    package.__name__ if module is None else module.name
    for package in (xconv, xconv_bench)
    for module in (None, *pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    if module is None or not module.name.endswith("__main__")
    if module is None or HAS_TRITON or not module.name.startswith("xconv.kernels.")
]
"""The names of all modules."""
