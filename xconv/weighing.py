"""Weigh what a network keeps for its backward pass, by module, without computing anything."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_iter

from xconv.budget import plans_kept
from xconv.contents import buffers, modules, named_modules, parameters
from xconv.kept import Holder, KeptMeter

Result = TypeVar("Result")
ModelArguments = tuple[Any, ...]


def kept_by_holder(model: nn.Module, arguments: ModelArguments) -> Mapping[Holder, int]:
    """Return the bytes that a call of ``model`` keeps, by the modules that saved them.

    A storage counts once, for the first that saved it; parameters and buffers count for nobody,
    ``arguments`` do. The call is a step of training like any other: no plan is renewed.
    """
    owners = {name: [module] for name, module in named_modules(model)}
    meter = KeptMeter([*parameters(model), *buffers(model)], owners)
    with (
        torch.enable_grad(),
        torch.random.fork_rng(_gpus(arguments)),
        plans_kept(),
        meter,
    ):
        output = model(*arguments)
    shares = meter.shares()
    del output  # until here it holds the graph, and the graph what is kept
    return shares


def on_copy(
    model: nn.Module,
    arguments: ModelArguments,
    measure: Callable[[nn.Module, ModelArguments], Result],
) -> Result:
    """Return what ``measure`` finds of a copy of ``model`` and ``arguments``.

    The copy has shapes and no contents, so that nothing is computed and no memory is taken. A
    network that cannot be run so, since it reads numbers that it computed, is copied and run as it
    is. Raises ValueError where that fails, too.
    """
    with torch.inference_mode(False):  # in which copies could not be changed
        try:
            mode = FakeTensorMode(allow_non_fake_inputs=True)
            fakes = {id(each): mode.from_tensor(each) for each in _tensors(model, arguments)}
            copied, given = copy.deepcopy((model, arguments), fakes)
            with mode:
                return measure(copied, given)
        except Exception:  # whatever it is, the real run says it in the network's own words
            pass
        try:
            return measure(*copy.deepcopy((model, arguments)))
        except Exception as error:
            said = (str(error).strip() or "no reason given").splitlines()[0].rstrip(":;. ")
            raise ValueError(
                f"the model does not run on the example: {type(error).__name__}: {said}; give what "
                "it is called with in training, a tensor or a tuple of arguments"
            ) from error


def _tensors(model: nn.Module, arguments: ModelArguments) -> list[Tensor]:
    """Return all tensors of a model, those too that are plain attributes, and of its arguments."""
    attributes = (each for module in modules(model) for each in vars(module).values())
    found = [*parameters(model), *buffers(model), *attributes, *tree_iter(arguments)]
    return [each for each in found if isinstance(each, Tensor)]


def _gpus(arguments: Any) -> list[int]:
    tensors = (each for each in tree_iter(arguments) if isinstance(each, Tensor) and each.is_cuda)
    return sorted({tensor.device.index for tensor in tensors})
