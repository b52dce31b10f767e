"""``torch.compile`` with a budget for activations: its partitioner chooses what to compute again.

``torch._functorch.config.activation_memory_budget``: 1 keeps what a compiled network keeps, and the
less the more is computed a second time. Gradients are exact to rounding.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import Method
from xconv_bench.methods.calls import wrap_call
from xconv_bench.methods.partitioning import is_random, partition

Function = Callable[..., Any]

_KEEPS_LAYOUT = "constrain_to_fx_strides_if_fallback_random"
"""A torch without it (2.11) may draw dropout masks in another order of memory, channels last."""


class CompileBudget(Method):
    """Compiles a network; its knob ``budget`` is the part of the activations that may be kept."""

    name = "compile-budget"
    knobs = ("budget",)
    is_simulated = False

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """Return the model with another ``forward`` function or class, compiled at its first call.

        Inductor compiles on a GPU. On the CPU kernels are not compiled, so that every tensor is
        seen. Raises Unsupported where torch has no such budget.
        """
        settings: Any = importlib.import_module("torch._functorch.config")
        if not hasattr(settings, "activation_memory_budget"):
            raise Unsupported("this torch has no activation memory budget: take a newer one")
        settings.activation_memory_budget = configuration.budget
        backend = _inductor() if configuration.device.startswith("cuda") else _partitioned()

        def compiled(run: Function) -> Function:
            # A function of ours: those of torch.nn itself, such as Sequential's, are passed over.
            def called(*args: Any, **kwargs: Any) -> Any:
                return run(*args, **kwargs)

            function: Function = torch.compile(called, backend=backend)
            return function

        wrap_call(model, compiled)
        return model

    def remark(self, model: nn.Module, configuration: Configuration) -> str:
        """Return how it was compiled."""
        if configuration.device.startswith("cuda"):
            return "compiled by inductor: its tensors are seen by the allocator alone"
        return "divided as torch.compile does it, with torch's own kernels: no fusion"


def _partitioned() -> Function:
    """Return a backend that divides networks as inductor does, and leaves the kernels to torch."""
    from torch._dynamo.backends.common import aot_autograd
    from torch._functorch.compilers import nop

    backend: Function = aot_autograd(
        fw_compiler=nop, partition_fn=partition, decompositions=_decompositions()
    )
    return backend


def _inductor() -> Function:
    """Return inductor, which divides networks by ``partition`` and leaves randomness to torch."""
    settings: Any = importlib.import_module("torch._inductor.config")
    if not hasattr(settings, "custom_partitioner_fn"):
        raise Unsupported("this torch's inductor takes no partitioner: take a newer one")
    from torch._inductor.compile_fx import compile_fx

    from xconv_bench.methods.inductor_partition import Partition

    lowering: Any = importlib.import_module("torch._inductor.lowering")
    settings.custom_partitioner_fn = Partition()
    settings.fallback_random = True
    if not hasattr(lowering, _KEEPS_LAYOUT):
        settings.layout_optimization = False
    return partial(compile_fx, decompositions=_decompositions())


def _decompositions() -> dict[Any, Any]:
    """Return inductor's decompositions; random operators stay whole, to draw the exact numbers."""
    from torch._inductor.decomposition import select_decomp_table

    # Some of them take it for granted that this was imported.
    importlib.import_module("torch._inductor.lowering")
    return {
        operator: function
        for operator, function in select_decomp_table().items()
        if not is_random(operator)
    }
