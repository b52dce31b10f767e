"""The division of a compiled network into a forward and a backward graph."""

from typing import Any

import torch
from torch.utils.checkpoint import CheckpointPolicy


def partition(joint: Any, *args: Any, **kwargs: Any) -> Any:
    """Divide ``joint`` as torch does, but let no random number be drawn twice.

    Below a budget of 1 torch (2.13) computes dropout again with another mask, and the gradients
    are wrong.
    """
    from torch._functorch.partitioners import min_cut_rematerialization_partition

    for node in joint.graph.nodes:
        if is_random(node.target):
            node.meta["recompute"] = CheckpointPolicy.MUST_SAVE
    return min_cut_rematerialization_partition(joint, *args, **kwargs)


def is_random(operator: Any) -> bool:
    """Return whether an operator draws random numbers."""
    return torch.Tag.nondeterministic_seeded in getattr(operator, "tags", ())
