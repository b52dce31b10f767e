"""What every measurement imports: the fork server does it once, and each process finds it done."""

import torch

import xconv
from xconv_bench.models.torchvision_shim import import_torchvision

import_torchvision()

__all__ = ["torch", "xconv"]
