"""Memory at every layer of a training step, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils._pytree import tree_iter

from xconv.contents import children, named_modules

FORWARD, BACKWARD, RECOMPUTE = "forward", "backward", "recompute"


class Gauge(Protocol):
    """A gauge of memory: the bytes now, and the most since the last question."""

    def now(self) -> int:
        """Return the bytes now."""

    def peak(self) -> int:
        """Return the most bytes since the last call of this."""


@dataclass(frozen=True)
class Moment:
    """A moment of a step: behind a layer's forward pass, or as its output's gradient arrives.

    ``peak_bytes`` is the most since the moment before.
    """

    phase: str
    layer: str
    kind: str
    bytes: int
    peak_bytes: int


class LayerMemoryMeter:
    """Moments of a step, in the order of time, while ``watching``.

    A layer is a module without modules in it. One that runs several times has several moments; one
    that runs in the backward pass, having been checkmomented, has some of the phase
    ``"recompute"``. Hooks on tensors see the backward pass, since those on modules do not allow
    layers that overwrite their input.
    """

    def __init__(self, model: nn.Module, gauge: Gauge) -> None:
        self.moments: list[Moment] = []
        self._model = model
        self._gauge = gauge
        self._turned = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the forward pass inside, until ``turn``; then the backward pass."""
        layers = [(n, m) for n, m in named_modules(self._model) if not any(children(m))]
        handles = [
            nn.Module.register_forward_hook(module, self._hook(name, type(module).__name__))
            for name, module in layers
        ]
        self._gauge.peak()
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def turn(self) -> None:
        """Note that the forward pass is over, its loss included."""
        self._turned = True
        self._note(FORWARD, "loss", "loss")

    def end(self) -> None:
        """Note that the step is over."""
        self._note(BACKWARD, "end", "end")

    def _hook(self, name: str, kind: str) -> Any:
        def behind(module: nn.Module, inputs: Any, output: Any) -> None:
            self._note(RECOMPUTE if self._turned else FORWARD, name, kind)
            tensors = (t for t in tree_iter(output) if isinstance(t, Tensor) and t.requires_grad)
            first = next(tensors, None)
            if first is not None:
                first.register_hook(lambda _: self._note(BACKWARD, name, kind))

        return behind

    def _note(self, phase: str, layer: str, kind: str) -> None:
        self.moments.append(Moment(phase, layer, kind, self._gauge.now(), self._gauge.peak()))
