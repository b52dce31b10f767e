"""``torch.compile`` with a budget for activations: its partitioner chooses what to compute again.

``torch._functorch.config.activation_memory_budget``: 1 keeps what a compiled network keeps, and the
less the more is computed a second time. Gradients are exact to rounding.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import CheckpointPolicy

from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import Method

Function = Callable[..., Any]


class CompileBudget(Method):
    """Compiles a network; its knob ``budget`` is the part of the activations that may be kept."""

    name = "compile-budget"
    knobs = ("budget",)
    is_simulated = False

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """The model with another ``forward`` function, which is compiled at its first call.

        By inductor on a GPU. On the CPU kernels are not compiled, so that every tensor is seen.
        Unsupported where torch has no such budget.
        """
        settings: Any = importlib.import_module("torch._functorch.config")
        if not hasattr(settings, "activation_memory_budget"):
            raise Unsupported("this torch has no activation memory budget: take a newer one")
        settings.activation_memory_budget = configuration.budget
        backend = _inductor() if configuration.device.startswith("cuda") else _partitioned()
        forward: Function = model.forward

        # A function of ours: those of torch.nn itself, such as Sequential's, are passed over.
        def called(*args: Any, **kwargs: Any) -> Any:
            return forward(*args, **kwargs)

        model.forward = torch.compile(called, backend=backend)
        return model

    def remark(self, model: nn.Module, configuration: Configuration) -> str:
        """How it was compiled."""
        if configuration.device.startswith("cuda"):
            return "compiled by inductor: its tensors are seen by the allocator alone"
        return "divided as torch.compile does it, with torch's own kernels: no fusion"


def partition(joint: Any, *args: Any, **kwargs: Any) -> Any:
    """torch's own division into forward and backward, but no random number is drawn twice.

    Below a budget of 1 torch (2.13) computes dropout again with another mask, and the gradients
    are wrong.
    """
    from torch._functorch.partitioners import min_cut_rematerialization_partition

    for node in joint.graph.nodes:
        if _is_random(node.target):
            node.meta["recompute"] = CheckpointPolicy.MUST_SAVE
    return min_cut_rematerialization_partition(joint, *args, **kwargs)


def _partitioned() -> Function:
    """A backend that divides the network as inductor does, and leaves the kernels to torch."""
    from torch._dynamo.backends.common import aot_autograd
    from torch._functorch.compilers import nop
    from torch._inductor.decomposition import select_decomp_table

    # Some decompositions take it for granted that this was imported.
    importlib.import_module("torch._inductor.lowering")
    # What is random stays whole: its numbers are then those of the exact network.
    decompositions = {
        operator: function
        for operator, function in select_decomp_table().items()
        if not _is_random(operator)
    }
    backend: Function = aot_autograd(
        fw_compiler=nop, partition_fn=partition, decompositions=decompositions
    )
    return backend


def _inductor() -> str:
    settings: Any = importlib.import_module("torch._inductor.config")
    if not hasattr(settings, "custom_partitioner_fn"):
        raise Unsupported("this torch's inductor takes no partitioner: take a newer one")
    from torch._inductor.custom_graph_pass import CustomPartitionerFn, get_hash_for_files

    class Partitioner(CustomPartitionerFn):
        def __call__(self, gm: Any, joint_inputs: Any, **kwargs: Any) -> Any:
            return partition(gm, joint_inputs, **kwargs)

        def uuid(self) -> Any:
            return get_hash_for_files((__file__,))

    settings.custom_partitioner_fn = Partitioner()
    # For the same reason as above; inductor's own would be other dropout masks.
    settings.fallback_random = True
    return "inductor"


def _is_random(operator: Any) -> bool:
    return torch.Tag.nondeterministic_seeded in getattr(operator, "tags", ())
