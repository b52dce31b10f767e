"""Explanations of a training step's memory: who keeps it, and what is there at the peak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor
from torch.utils._pytree import tree_leaves

from xconv.accounting import Account, attribute
from xconv.contents import named_modules, parameters
from xconv.kept import KeptMeter
from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.events import Event
from xconv_bench.explanation import Explanation, Held, Peak
from xconv_bench.measurement.compiled import has_compiled, is_compiled
from xconv_bench.measurement.counting import Simulation, count, watch
from xconv_bench.measurement.training import Training, prepare
from xconv_bench.meters.live import LiveMeter
from xconv_bench.methods import find_method

EXPLANATION = "explanation"
"""The name under which it is yielded: it is no column."""


@dataclass(frozen=True)
class Explaining:
    """Yield ``EXPLANATION``, that of the step which ``memory`` counts.

    Raises what the network raises, Unsupported for what is compiled: it saves unseen.
    """

    configuration: Configuration

    def __call__(self) -> Iterator[Event]:
        """Measure."""
        method = self.configuration.method
        if not find_method(method).is_simulated:
            raise Unsupported(f"{method} is compiled: nobody sees what compiled kernels save")
        if self.configuration.device == SIMULATED:
            with Simulation(self.configuration).entered() as training:
                yield {EXPLANATION: explain(training)}
            return
        training = prepare(self.configuration)
        for _ in range(2):  # as many as come before the step that is counted
            training.step()
        if is_compiled(training.model) or has_compiled():
            raise Unsupported("the network is compiled: nobody sees what compiled kernels save")
        yield {EXPLANATION: explain(training)}


def explain(training: Training) -> Explanation:
    """Explain a step that is not the first; takes two, the first of which finds the peak."""
    peak_bytes = count(training).peak_bytes
    named = {name: [module] for name, module in named_modules(training.model)}
    kept = KeptMeter(training.state(), named)
    live = LiveMeter(training.device)
    found: list[Peak] = []
    turned: list[Account] = []

    def look() -> None:
        phase, layer = ("backward", "") if turned else ("forward", _where(kept.running))
        found.append(Peak(peak_bytes, phase, layer, _parts(training, live, kept, peak_bytes)))

    def turn() -> None:
        turned.append(attribute(training.model, kept.shares()))

    live.when_reached(peak_bytes, look)
    watch(training, live, kept, turn)
    (account,) = turned
    return Explanation(
        tuple(
            Held(e.name or "(model)", e.kind, e.family, e.kept_bytes, e.reason)
            for e in account
            if e.kept_bytes
        ),
        found[0] if found and live.peak_bytes == peak_bytes else None,
    )


def _where(running: str | None) -> str:
    return "the loss" if running is None else running or "(model)"


def _parts(training: Training, live: LiveMeter, kept: KeptMeter, peak_bytes: int) -> dict[str, int]:
    """Return the bytes alive at the peak, each storage once, for the first part that has it."""
    gradients = (parameter.grad for parameter in parameters(training.model))
    groups: dict[str, list[Tensor]] = {
        "weights and buffers": list(training.state()),
        "gradients of the weights": [each for each in gradients if each is not None],
        "saved for the backward pass": kept.tensors(),
        "the batch, where it is not saved": [
            leaf for leaf in tree_leaves(training.batch) if isinstance(leaf, Tensor)
        ],
    }
    counted: dict[int, int] = {}
    parts: dict[str, int] = {}
    for part, tensors in groups.items():
        sizes = live.sizes_of(tensors)
        parts[part] = sum(size for key, size in sizes.items() if key not in counted)
        counted |= sizes
    parts["outputs, gradients and workspace of the layers at work"] = peak_bytes - sum(
        counted.values()
    )
    return parts
