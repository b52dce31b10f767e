"""Methods that learn from batches, as ``spectral`` learns how to divide its bits."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from xconv.contents import modules
from xconv.state import state_of
from xconv_bench.configuration import Configuration
from xconv_bench.data.own_inputs import own_inputs
from xconv_bench.models import Architecture

_SAME_BATCH = (
    "--inputs gives the same batch every time: what a method learns, such as the plan of spectral, "
    "it learns from the batch that is measured, and errors may be smaller than in training; draw "
    "the batch with torch's, numpy's or Python's generator"
)


def learns(model: nn.Module) -> bool:
    """Return whether a layer divides its bits, or the network's, by what it has seen."""
    states = map(state_of, modules(model))
    return any(state is not None and state.member is not None for state in states)


def remark_on_inputs(architecture: Architecture, configuration: Configuration) -> str:
    """Return a remark where the network's own inputs are the same for all samples and seeds.

    Two batches are made for it, where the network has inputs of its own.
    """
    if architecture.inputs is None:
        return ""
    size, seed = configuration.batch_size, configuration.seed
    first, second = (
        own_inputs(architecture.inputs, range(start, start + size), configuration.image_size, seed)
        for start in (0, size)
    )
    pairs = zip(tree_leaves(first), tree_leaves(second), strict=True)
    are_same = all(torch.equal(a, b) for a, b in pairs if isinstance(a, Tensor))
    return _SAME_BATCH if are_same else ""
