"""The methods that are compared, by name. A new one is one file and one line here.

Methods that compose have a name together: ``xconv+checkpoint``.
"""

from __future__ import annotations

from functools import cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from xconv_bench.configuration import JOINT
from xconv_bench.errors import UsageError, suggest

if TYPE_CHECKING:
    from xconv_bench.methods.base import Method

METHODS = {
    "exact": "xconv_bench.methods.exact:Exact",
    "xconv": "xconv_bench.methods.xconv:XConvMethod",
    "checkpoint": "xconv_bench.methods.checkpoint:Checkpointing",
    "rad-sampling": "xconv_bench.methods.rad_sampling:RadSampling",
    "invertible": "xconv_bench.methods.invertible:Invertible",
    "quantized": "xconv_bench.methods.quantized:QuantizedMethod",
    "offload": "xconv_bench.methods.offload:Offload",
    "compile-budget": "xconv_bench.methods.compile_budget:CompileBudget",
    "saved-tensors": "xconv_bench.methods.saved_tensors:SavedTensors",
    "dual-precision": "xconv_bench.methods.dual_precision:DualPrecision",
    "low-rank": "xconv_bench.methods.low_rank:LowRank",
    "gradient-filter": "xconv_bench.methods.gradient_filter:GradientFilter",
}
"""The module and the class of each method.

They are imported when they are used, so that the command line can list them without torch.
"""


def find_method(name: str) -> Method:
    """Return the method of this name; of ``A+B``, A and then B.

    Raises UsageError where there is none, and where these do not compose in this order.
    """
    parts = name.split(JOINT)
    for part in parts:
        if part not in METHODS:
            choice = suggest(part, METHODS)
            more = "" if choice.endswith("?") else "; some compose, such as xconv+checkpoint"
            raise UsageError(f"--method {part!r} is unknown: {choice}{more}")
    methods = [_made(METHODS[part]) for part in parts]
    if len(methods) == 1:
        return methods[0]
    from xconv_bench.methods.combined import Combined, why_not

    if complaint := why_not(methods):
        raise UsageError(f"--method {name}: {complaint}")
    return Combined(methods)


@cache
def _made(place: str) -> Method:
    method: Method = resolve_name(place)()
    return method
