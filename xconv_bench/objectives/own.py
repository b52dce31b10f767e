"""Losses of the user's own: a callable of the network's output and its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from xconv_bench.errors import BenchError
from xconv_bench.objectives.objective import Objective


@dataclass(frozen=True)
class OwnLoss(Objective):
    """The scalar that ``function`` makes of the output and of the inputs of the network.

    ``name`` is that of the callable, for messages. The target of a batch is its inputs.
    """

    purpose = "a loss of your own"
    takes_inputs: ClassVar[bool] = True
    function: Callable[[Any, Any], Any] = field(kw_only=True)
    name: str = field(kw_only=True)

    def target_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the input."""
        return sample_shape

    def loss(self, output: Any, target: Any) -> Tensor:
        """Return what the callable makes of them; BenchError, one line, where it is no scalar."""
        # Memory that runs out, and what simulations cannot do, are told apart by who measures.
        try:
            loss = self.function(output, target)
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise BenchError(
                f"--loss {self.name} failed: {text}; it is called with (output, inputs)"
            ) from error
        if not isinstance(loss, Tensor) or loss.dim() or not loss.is_floating_point():
            raise BenchError(
                f"--loss {self.name} returned {_described(loss)}, not a scalar: reduce it, "
                "for example with .mean()"
            )
        if torch.is_grad_enabled() and not loss.requires_grad:
            raise BenchError(
                f"--loss {self.name} returned a scalar that no gradient comes from: "
                "compute it from the output, without detach() and item()"
            )
        return loss


def _described(thing: Any) -> str:
    if isinstance(thing, Tensor):
        return f"a tensor of {thing.dtype} and the shape {tuple(thing.shape)}"
    return f"a {type(thing).__name__}"
