"""Preparation of a network before and between steps, past methods that its class overrides."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from xconv.contents import (
    buffers,
    children,
    modules,
    named_buffers,
    named_modules,
    named_parameters,
    parameters,
)
from xconv_bench.errors import BenchError


def cast(model: nn.Module, dtype: torch.dtype) -> None:
    """Turn parameters and buffers of the network's floating-point dtype into ``dtype``.

    The network's dtype is torch's default one, or that of its first parameter where none has the
    default. Complex ones of the same precision go with it, but not below that of float32; all
    else keeps its dtype: integers, and parts that were built in another precision on purpose.
    """
    own = _dtype_of(model)
    pairs = {own: dtype}
    if dtype != torch.float16:
        pairs[own.to_complex()] = dtype.to_complex()
    if own != dtype:
        _change(model, lambda tensor: tensor.to(pairs.get(tensor.dtype, tensor.dtype)))


def move(model: nn.Module, device: torch.device | str) -> None:
    """Move parameters and buffers to ``device``, and what an override of ``to`` moves besides.

    A network is built on the CPU: nothing is called where it stays there.
    """
    if torch.device(device).type == "cpu":
        return
    if type(model).to is not nn.Module.to:
        model.to(device)
    _change(model, lambda tensor: tensor.to(device))


def train(model: nn.Module) -> None:
    """Put all modules into training mode, but as an override of ``train(mode)`` says.

    Networks that keep some of their layers in evaluation mode say so there. A method of that name
    that is something else, a loop over data for example, is not called.
    """
    own = type(model).train
    if own is not nn.Module.train and _is_switch(own):
        try:
            model.train(True)
        except Exception:  # it is of no use to its user either
            pass
        else:
            return
    model.training = True
    for child in children(model):
        train(child)


def clear_gradients(model: nn.Module) -> None:
    """Let go of the gradients of all parameters."""
    for parameter in parameters(model):
        parameter.grad = None


def run_once(model: nn.Module, *inputs: Any, **named: Any) -> None:
    """Call ``model`` in evaluation mode and without gradients; its modes are then as before."""
    modes = [(module, module.training) for module in modules(model)]
    for module, _ in modes:
        module.training = False
    try:
        with torch.no_grad():
            model(*inputs, **named)
    finally:
        for module, mode in modes:
            module.training = mode


def copy_tensors(source: nn.Module, target: nn.Module) -> None:
    """Give parameters and buffers of ``target`` the values that they have in ``source``.

    Raises BenchError where they are not of the same names and shapes.
    """
    for named in (named_parameters, named_buffers):
        values, places = dict(named(source)), dict(named(target))
        for name in {**values, **places}:
            one, other = values.get(name), places.get(name)
            if one is None or other is None or one.shape != other.shape:
                raise BenchError(
                    f"the network is not built the same twice: {name} differs; seed what decides "
                    "its structure"
                )
            other.data.copy_(one)


def tensors_of_state(model: nn.Module) -> dict[str, Tensor]:
    """Return what torch's own ``state_dict`` has of tensors: parameters and persistent buffers."""
    found: dict[str, Tensor] = {}
    for prefix, module in named_modules(model, remove_duplicate=False):
        for tensors, left_out in (
            (module._parameters, ()),
            (module._buffers, module._non_persistent_buffers_set),
        ):
            for name, tensor in tensors.items():
                if tensor is not None and name not in left_out:
                    found[f"{prefix}.{name}" if prefix else name] = tensor.detach()
    return found


def _change(model: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    """Let ``change`` have every parameter and buffer, and what a class changes with them itself."""
    for module in list(modules(model)):
        nn.Module._apply(module, change, recurse=False)
        if type(module)._apply is not nn.Module._apply:
            module._apply(change)


def _dtype_of(model: nn.Module) -> torch.dtype:
    found = [t.dtype for t in (*parameters(model), *buffers(model)) if t.is_floating_point()]
    default = torch.get_default_dtype()
    return default if default in found or not found else found[0]


def _is_switch(method: Callable[..., Any]) -> bool:
    """Return whether a method called ``train`` takes a ``mode`` as torch's does."""
    try:
        names = list(inspect.signature(method).parameters)
    except (TypeError, ValueError):
        return False
    return names[1:2] == ["mode"]
