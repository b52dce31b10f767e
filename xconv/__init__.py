"""Low-memory convolutions: a few random probes of the input are kept in place of the input."""

from xconv import functional
from xconv.accounting import account
from xconv.conversion import convert, revert
from xconv.modules import (
    XConv1d,
    XConv2d,
    XConv3d,
    XConvTranspose1d,
    XConvTranspose2d,
    XConvTranspose3d,
)
from xconv.planning.advice import Advice, advise
from xconv.planning.plan import Plan, Setting
from xconv.saved.relu import BitReLU

__all__ = [
    "Advice",
    "BitReLU",
    "Plan",
    "Setting",
    "XConv1d",
    "XConv2d",
    "XConv3d",
    "XConvTranspose1d",
    "XConvTranspose2d",
    "XConvTranspose3d",
    "account",
    "advise",
    "convert",
    "functional",
    "revert",
]
