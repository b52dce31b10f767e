"""The methods that are compared, by name. A new one is one file and one line here.

Those that compose have a name together: ``xconv+checkpoint``.
"""

from xconv_bench.errors import UsageError
from xconv_bench.methods.base import Method
from xconv_bench.methods.checkpoint import Checkpoint
from xconv_bench.methods.combined import JOINT, Combined, why_not
from xconv_bench.methods.compile_budget import CompileBudget
from xconv_bench.methods.exact import Exact
from xconv_bench.methods.invertible import Invertible
from xconv_bench.methods.offload import Offload
from xconv_bench.methods.quantized import Quantized
from xconv_bench.methods.rad_sampling import RadSampling
from xconv_bench.methods.xconv import XConv

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Exact(),
        XConv(),
        Checkpoint(),
        RadSampling(),
        Invertible(),
        Quantized(),
        Offload(),
        CompileBudget(),
    )
}


def find_method(name: str) -> Method:
    """Return the method of this name; of ``A+B``, A and then B.

    Raises UsageError where there is none, and where these do not compose in this order.
    """
    parts = name.split(JOINT)
    for part in parts:
        if part not in METHODS:
            raise UsageError(
                f"--method {part!r} is unknown: choose from {', '.join(sorted(METHODS))}; some "
                "compose, such as xconv+checkpoint"
            )
    methods = [METHODS[part] for part in parts]
    if complaint := why_not(methods):
        raise UsageError(f"--method {name}: {complaint}")
    return methods[0] if len(methods) == 1 else Combined(methods)


__all__ = ["JOINT", "METHODS", "Method", "find_method"]
