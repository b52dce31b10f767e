"""The imports of every measurement: the fork server has them, and so each process has."""

import torch

import xconv
from xconv_bench.models.torchvision_shim import import_torchvision

import_torchvision()

__all__ = ["torch", "xconv"]
