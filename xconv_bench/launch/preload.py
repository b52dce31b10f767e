"""The imports of every measurement: the fork server has them, and so each process has.

Nothing of them is ever garbage: nobody looks for any meanwhile, nor later in each of the processes,
where it would take longer than many a measurement and touch memory that all of them share.
"""

import gc

gc.disable()

import torch  # noqa: E402

import xconv  # noqa: E402
from xconv_bench.models.torchvision_shim import import_torchvision  # noqa: E402

import_torchvision()
gc.freeze()
gc.enable()

__all__ = ["torch", "xconv"]
