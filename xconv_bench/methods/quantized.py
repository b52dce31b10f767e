"""Inputs of convolutions kept in a few bits a number, as ActNN keeps activations.

Source: Chen et al., "ActNN: Reducing Training Memory Footprint via 2-Bit Activation Compressed
Training", ICML 2021, arXiv 2104.14129. The weight gradient of a convolution is linear in its input,
so that it stays unbiased. Other layers, whose gradients are not, are left.
"""

from xconv_bench.methods.xconv import CONVERTED_KNOBS, Converted


class QuantizedMethod(Converted):
    """The scheme ``quantized`` of ``xconv``."""

    name = scheme = "quantized"
    knobs = ("bits", *CONVERTED_KNOBS)
