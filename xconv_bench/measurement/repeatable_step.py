"""Steps of a network that all begin in the same state, whatever the steps before have changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from xconv.budget import STEPS_TO_LEARN, plans_kept
from xconv_bench.data import Batch
from xconv_bench.measurement.training import Training
from xconv_bench.meters.gradient import SameRandomNumbers, relative_error, weight_gradients
from xconv_bench.models.snapshot import Snapshot
from xconv_bench.objectives import Objective
from xconv_bench.results.schema import ALL_LAYERS

Gradients = dict[str, Tensor]
"""Gradients of convolution weights, by name."""

_SHOWN = 3
_ROUNDINGS = 256
_LARGEST_ROUNDING = 0.01
"""Differences of so many units in the last place, but not more than this, are rounding."""

_SAME_LOSS = {torch.float32: 0.01, torch.float16: 0.2, torch.bfloat16: 0.2}
"""Losses that differ by no more than this part are the same to rounding."""


class RepeatableStep:
    """A network with its loss, put back before each step to where it was when this was made.

    The method keeps all that it has learnt, and only ``learn`` adds to it: a batch that is measured
    must not have taught the method first. ``loss`` is that of the latest step that was measured.
    """

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        self.model = model
        self.objective = objective
        self.loss = float("nan")
        self.latest: Training | None = None
        self._start = Snapshot(model)
        self._remarks: list[str] = []

    @property
    def lost(self) -> list[str]:
        """Return the parts of the network that cannot be put back, by name."""
        return self._start.lost

    def training(self, batch: Batch) -> Training:
        """Return a step with this batch."""
        return Training.of(self.model, batch, self.objective, self._remarks)

    def put_back(self) -> None:
        """Put the network back to where it was when this was made."""
        self._start.restore()

    def learn(self, batch: Batch, network_seed: int, estimator_seed: int) -> None:
        """Let the method see ``batch`` in steps that count nowhere, as in training.

        ``spectral`` then divides its bits by what it has seen of it.
        """
        training = self.training(batch)
        torch.manual_seed(
            estimator_seed
        )  # once: a call with the seed of another would be its repeat
        for _ in range(STEPS_TO_LEARN):
            with self._put_back(network_seed):
                training.step()
        training.zero_grad()

    @contextmanager
    def begun(self, network_seed: int, estimator_seed: int) -> Iterator[None]:
        """Put everything back; inside, the network draws what follows from ``network_seed``.

        These are torch's generators, Python's, numpy's and the network's own. Seeds of
        estimators follow from ``estimator_seed``. Nothing is learnt inside.
        """
        torch.manual_seed(estimator_seed)
        with plans_kept(), self._put_back(network_seed):
            yield

    @contextmanager
    def _put_back(self, network_seed: int) -> Iterator[None]:
        self.put_back()
        with SameRandomNumbers(network_seed):
            self._start.seed(network_seed)
            yield

    def gradients(self, batch: Batch, network_seed: int, estimator_seed: int) -> Gradients:
        """Return the gradients of the convolutions' weights."""
        self.latest = training = self.training(batch)
        training.zero_grad()
        with self.begun(network_seed, estimator_seed):
            loss = training.forward()
            training.backward(loss)
        self.loss = loss.item()
        return weight_gradients(self.model)


class Floor:
    """The distance of the exact gradient from itself: 0 where the network can be put back."""

    def __init__(self, first: Gradients, again: Gradients, lost: Sequence[str] = ()) -> None:
        self.error = relative_error(again, first)
        self._first = first
        self._again = again
        self._lost = lost

    def of(self, layer: str) -> float | None:
        """Return that of one layer, or of all; None where the gradient is zero."""
        if layer == ALL_LAYERS:
            return self.error
        return relative_error({layer: self._again[layer]}, {layer: self._first[layer]})

    def words(self) -> str:
        """Return what it is and why, where it is not 0."""
        if not self.error:
            return ""
        found = f"the exact gradient differs from itself by {self.error:.2g} (floor_error): "
        dtype = next(iter(self._first.values())).dtype
        if self.error < min(_ROUNDINGS * torch.finfo(dtype).eps, _LARGEST_ROUNDING):
            return f"{found}kernels add in another order each time"
        names = f", such as {', '.join(self._lost[:_SHOWN])}," if self._lost else ""
        return (
            f"{found}the network holds something{names} that can neither be put back nor seeded; "
            "errors below that say nothing"
        )


def words_on_losses(exact: float, other: float, dtype: torch.dtype) -> str:
    """Return what is to be said where a method's loss is not that of the exact network.

    All methods have the exact forward pass, so that the networks themselves must differ.
    """
    tolerance = _SAME_LOSS.get(dtype, _SAME_LOSS[torch.float32])
    if not abs(exact - other) > tolerance * abs(exact):
        return ""
    return (
        f"the loss is {other:.4g}, that of exact {exact:.4g}: the two networks are not the same, "
        "and the gradient error is not the method's alone"
    )
