"""Error of weight gradients against the exact layer's."""

from contextlib import ExitStack
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

CONVOLUTIONS = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip


def weight_gradients(model: nn.Module) -> dict[str, Tensor]:
    """Gradients of all convolution weights that have one, each weight once, by name."""
    weights = {id(m.weight) for m in model.modules() if isinstance(m, CONVOLUTIONS)}
    return {
        name: parameter.grad
        for name, parameter in model.named_parameters()
        if id(parameter) in weights and parameter.grad is not None
    }


def relative_error(gradients: dict[str, Tensor], exact: dict[str, Tensor]) -> float | None:
    """``‖g − g_exact‖ / ‖g_exact‖`` over all tensors together, summed in float64.

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
    """Inside, the network's own random numbers are the same whichever method runs it.

    Dropout and its like draw from the generator that the probes' seeds come from, and a method
    that draws seeds would shift them: its error would be mostly that of another dropout mask. So
    the network's numbers start from ``seed``, and the draws of a single integer, which is how
    seeds are drawn, go on where the generator stood before. A method that runs a part of the
    network again and restores the generator for it, as checkpointing does, finds the same masks.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed
        self._outside = ExitStack()

    def __enter__(self) -> Self:
        gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
        self._outside.enter_context(torch.random.fork_rng(gpus))
        self._seeds = torch.get_rng_state()
        torch.manual_seed(self._seed)
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._outside.close()
        torch.set_rng_state(self._seeds)

    @classmethod
    def is_infra_mode(cls) -> bool:
        """True: ``torch.compile`` is to do inside what it does outside."""
        return True

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """True, for the same reason."""
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
    return func is torch.ops.aten.randint.default and list(args[1]) == []
