"""Error of weight gradients against the exact layer's."""

from contextlib import ExitStack
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from xconv.contents import modules, named_parameters
from xconv.random import SEED_LIMIT
from xconv_bench.randomness import python_and_numpy_put_back, seed_generators

CONVOLUTIONS = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip


def weight_gradients(model: nn.Module) -> dict[str, Tensor]:
    """Return the gradients of all convolution weights that have one, each weight once, by name."""
    return {
        name: parameter.grad
        for name, (parameter, _) in convolution_weights(model).items()
        if parameter.grad is not None
    }


def convolution_weights(model: nn.Module) -> dict[str, tuple[nn.Parameter, list[nn.Module]]]:
    """Return weights of convolutions by name, each once, with the convolutions that have it.

    Not those that are computed from other parameters, as by spectral normalisation.
    """
    having: dict[int, list[nn.Module]] = {}
    for module in modules(model):
        weight = module._parameters.get("weight")
        if isinstance(module, CONVOLUTIONS) and weight is not None:
            having.setdefault(id(weight), []).append(module)
    return {
        name: (parameter, having[id(parameter)])
        for name, parameter in named_parameters(model)
        if id(parameter) in having
    }


def relative_error(gradients: dict[str, Tensor], exact: dict[str, Tensor]) -> float | None:
    """Return ``‖g − g_exact‖ / ‖g_exact‖`` over all tensors together, summed in float64.

    None where there is nothing to compare or the exact gradient is zero. Raises KeyError where
    a gradient is missing.
    """
    squared_error = squared_norm = 0.0
    for name, reference in exact.items():
        gradient, reference = gradients[name], reference.double()
        squared_error += float((gradient.double() - reference).square().sum())
        squared_norm += float(reference.square().sum())
    return (squared_error / squared_norm) ** 0.5 if squared_norm else None


class SameRandomNumbers(TorchDispatchMode):
    """A mode in which the network's own random numbers are the same whichever method runs it.

    Dropout and its like draw from the generator that the probes' seeds come from, and a method
    that draws seeds would shift them: its error would be mostly that of another dropout mask. So
    the network's numbers, those of Python's and numpy's generators too, start from ``seed``, and
    the draws of seeds go on where torch's generator stood before. A method that runs a part of the
    network again and restores the generator for it, as checkpointing does, finds the same masks.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed
        self._outside = ExitStack()

    def __enter__(self) -> Self:
        gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
        self._outside.enter_context(torch.random.fork_rng(gpus))
        self._outside.enter_context(python_and_numpy_put_back())
        self._seeds = torch.get_rng_state()
        seed_generators(self._seed)
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._outside.close()
        torch.set_rng_state(self._seeds)

    @classmethod
    def is_infra_mode(cls) -> bool:
        """Return True: ``torch.compile`` is to do inside what it does outside."""
        return True

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Return True, for the same reason."""
        return True

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if not _draws_a_seed(func, args):
            return func(*args, **kwargs)
        own = torch.get_rng_state()
        torch.set_rng_state(self._seeds)
        drawn = func(*args, **kwargs)
        self._seeds = torch.get_rng_state()
        torch.set_rng_state(own)
        return drawn


def _draws_a_seed(func: Any, args: tuple[Any, ...]) -> bool:
    return func is torch.ops.aten.randint.default and (args[0], *args[1]) == (SEED_LIMIT,)
