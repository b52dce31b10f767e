"""The check that torch makes before it overwrites an input."""

import torch
from torch import Tensor


def may_not_be_overwritten(input: Tensor) -> bool:
    """Return whether torch refuses to change ``input`` in place.

    It refuses for a leaf, a view of one, and a view of a kind that does not allow it.
    """
    if input.is_leaf or torch.compiler.is_compiling() or not input._is_view():
        return input.is_leaf
    autograd = torch._C._autograd
    is_of_leaf = input._base is not None and input._base.is_leaf
    return is_of_leaf or autograd._get_creation_meta(input) != autograd.CreationMeta.DEFAULT
