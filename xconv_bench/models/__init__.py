"""The networks that are measured: ``find`` one by its name, or see the ``listing``."""

from xconv_bench.models.base import Architecture
from xconv_bench.models.registry import find, listing

__all__ = ["Architecture", "find", "listing"]
