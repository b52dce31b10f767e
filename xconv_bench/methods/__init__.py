"""The methods that are compared, by name. A new one is one file and one line here."""

from xconv_bench.methods.base import Method
from xconv_bench.methods.exact import Exact
from xconv_bench.methods.xconv import XConv

METHODS: dict[str, Method] = {method.name: method for method in (Exact(), XConv())}

__all__ = ["METHODS", "Method"]
