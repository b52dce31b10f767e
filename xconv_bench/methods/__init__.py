"""The methods that are compared, by name. A new one is one file and one line here."""

from xconv_bench.methods.base import Method
from xconv_bench.methods.checkpoint import Checkpoint
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

__all__ = ["METHODS", "Method"]
