"""PyTorch convolutions that train in less memory.

A convolution keeps its input for the backward pass, where only the weight gradient needs it. The
layers here keep a compressed stand-in x̂ of the input x instead, random with mean x. The weight
gradient dW(x, δ) is linear in x for any output gradient δ, so E[dW(x̂, δ)] = dW(x, δ): the estimate
is unbiased. Outputs, input gradients and bias gradients stay exact.

``convert`` swaps the layers into a model and ``revert`` undoes it; ``account`` lists what was
swapped; ``advise`` measures a model and returns a ``Plan`` for a memory budget or an error.

>>> import torch, xconv
>>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3))
>>> model = xconv.convert(model)
>>> [type(module).__name__ for module in model]
['XConv2d', 'BitReLU', 'XConv2d']
>>> model(torch.zeros(2, 3, 32, 32)).sum().backward()
"""

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
from xconv.plan import Plan, Setting
from xconv.planning.advice import Advice, advise
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
