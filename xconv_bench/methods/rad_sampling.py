"""Randomized automatic differentiation by sampling pixels, for convolutions.

Source: Oktay et al., "Randomized Automatic Differentiation", ICLR 2021, arXiv 2007.10412, sections
4 and 5.
"""

from xconv_bench.methods.xconv import CONVERTED_KNOBS, Converted


class RadSampling(Converted):
    """The scheme ``sampling`` of ``xconv``."""

    name = "rad-sampling"
    scheme = "sampling"
    knobs = ("keep", *CONVERTED_KNOBS)
