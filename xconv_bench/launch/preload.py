"""The imports of every measurement: the fork server has them, and so each process has.

Nothing of them is ever garbage. Nobody looks for any in it: not meanwhile, and not later in each of
the processes, where that would take longer than many a measurement, and memory that all share.
"""

import gc

gc.disable()

import torch  # noqa: E402

import xconv  # noqa: E402
from xconv_bench.measurement import cross_check, measure  # noqa: E402
from xconv_bench.models.torchvision_shim import import_torchvision  # noqa: E402

import_torchvision()
gc.freeze()
gc.enable()

__all__ = ["cross_check", "measure", "torch", "xconv"]
