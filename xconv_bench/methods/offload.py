"""Offloading: what autograd saves is kept in the host's memory, and fetched in backward.

``torch.autograd.graph.save_on_cpu``, pinned. Gradients are exact; the GPU pays in transfers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.utils._python_dispatch import _disable_current_modes

from xconv.contents import parameters
from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods.base import CHANGING_LAYERS, Method
from xconv_bench.methods.calls import wrap_call


class Offload(Method):
    """Everything that is saved between forward and backward, parameters included."""

    name = "offload"
    follows = (*CHANGING_LAYERS, "checkpoint", "invertible")

    def apply(self, model: nn.Module, configuration: Configuration) -> nn.Module:
        """Return the model, with another ``forward`` function, or class.

        Unsupported on the CPU, whose memory is the host's.
        """
        if configuration.device == "cpu":
            raise Unsupported(
                "offload moves what is saved from a GPU to the host, and on the CPU it is there "
                f"already: take --device cuda, or --device {SIMULATED}"
            )

        def offloading(run: Callable[..., Any]) -> Callable[..., Any]:
            def offloaded(*args: Any, **kwargs: Any) -> Any:
                with _hooks(next(parameters(model)), configuration.device == SIMULATED):
                    return run(*args, **kwargs)

            return offloaded

        wrap_call(model, offloading)
        return model


def _hooks(parameter: Tensor, is_simulated: bool) -> saved_tensors_hooks:
    if isinstance(parameter, FakeTensor):
        return saved_tensors_hooks(_leave, _return)
    if is_simulated:
        return saved_tensors_hooks(_hide, _show)
    return save_on_cpu(pin_memory=parameter.is_cuda)


def _leave(tensor: Tensor) -> tuple[torch.device, Tensor]:
    """Move to the host, which in a simulation is a device on which nothing is counted."""
    return tensor.device, torch.empty_like(tensor, device="meta")


def _return(left: tuple[torch.device, Tensor]) -> Tensor:
    device, tensor = left
    return torch.empty_like(tensor, device=device)


def _hide(tensor: Tensor) -> Tensor:
    """Treat the CPU as the GPU where a simulation is really run: the host's copy is not seen."""
    with _disable_current_modes():
        return tensor.clone()


def _show(hidden: Tensor) -> Tensor:
    return torch.empty_like(hidden).copy_(hidden)
