"""A step's allocated peak taken apart: bytes of tensors, of libraries and of operators.

torch records every allocation. Each block that exists at the moment of the peak is one of these: a
tensor that existed before the step, or one that an operator returned, both of which the simulation
counts; or memory that a library keeps between steps (cuBLAS), or that an operator took for itself
(cuDNN's workspaces, temporaries), which the simulation cannot know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from xconv_bench.configuration import Configuration
from xconv_bench.measurement.training import Training, prepare
from xconv_bench.meters.live import LiveMeter

BEFORE, RETURNED = "tensors before the step", "tensors that operators returned"
LIBRARIES, INSIDE = "kept by libraries", "inside operators"
UNKNOWN = "larger blocks than asked for"
UNSEEN = (LIBRARIES, INSIDE, UNKNOWN)
"""The parts that no simulation has."""

Part = tuple[str, str]
"""The kind of memory, and the operator inside which it was allocated."""
_BLOCK_BYTES = 512
_ENTRIES = 1_000_000


@dataclass(frozen=True)
class Operator:
    """A call, whose allocations are numbers ``first`` to ``behind`` - 1 of the step.

    ``returned`` are the addresses of the storages of what it returned.
    """

    name: str
    first: int
    behind: int
    returned: frozenset[int]


class Watching(TorchDispatchMode):
    """A mode that notes operators that allocate; ``count`` is the number of allocations so far."""

    def __init__(self, count: Callable[[], int]) -> None:
        super().__init__()
        self._count = count
        self.operators: list[Operator] = []

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        first = self._count()
        result = func(*args, **(kwargs or {}))
        behind = self._count()
        if behind > first:
            tensors = (value for value in tree_iter(result) if isinstance(value, Tensor))
            returned = frozenset(tensor.untyped_storage().data_ptr() for tensor in tensors)
            self.operators.append(Operator(str(func), first, behind, returned))
        return result


def at_peak(
    events: Sequence[dict[str, Any]], operators: Sequence[Operator], start_bytes: int
) -> Counter[Part]:
    """Return the bytes of each part at the moment when all together are the most.

    ``events`` are torch's records of allocations and frees of the step, in their order. A block
    that is freed without having been allocated existed before.
    """
    causes = {number: each for each in operators for number in range(each.first, each.behind)}
    live: dict[int, Part] = {}
    held: Counter[Part] = Counter({(BEFORE, ""): start_bytes})
    peak, now, number = held.copy(), start_bytes, 0
    most = now
    for event in events:
        if event["action"] not in ("alloc", "free_requested"):
            continue
        address, size = event["addr"], -(-event["size"] // _BLOCK_BYTES) * _BLOCK_BYTES
        if event["action"] == "alloc":
            cause = causes.get(number)
            seen = cause is None or address in cause.returned
            live[address] = (RETURNED, "") if seen or cause is None else (INSIDE, cause.name)
            number += 1
            now += size
            held[live[address]] += size
        else:
            now -= size
            held[live.pop(address, (BEFORE, ""))] -= size
        if now > most:
            most, peak = now, held.copy()
    return +peak


@dataclass(frozen=True)
class Breakdown:
    """A measurement that yields ``{"parts": [(part, operator, bytes)]}`` of a step on a GPU.

    The largest parts come first. They add up to the allocated peak of this step, which is not the
    first.
    """

    configuration: Configuration

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Yield the parts."""
        training = prepare(self.configuration)
        training.step()
        torch.cuda.synchronize()
        start_bytes = torch.cuda.memory_allocated()
        libraries_bytes = start_bytes - _tensor_bytes(training)
        first = _allocations()
        watching = Watching(lambda: _allocations() - first)
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.memory._record_memory_history(context=None, max_entries=_ENTRIES)
        with watching:
            training.step()
        torch.cuda.synchronize()
        events = torch.cuda.memory._snapshot()["device_traces"][torch.cuda.current_device()]
        torch.cuda.memory._record_memory_history(enabled=None)
        parts = at_peak(events, watching.operators, start_bytes)
        parts[BEFORE, ""] -= libraries_bytes
        parts[LIBRARIES, ""] = libraries_bytes
        parts[UNKNOWN, ""] = torch.cuda.max_memory_allocated() - parts.total()
        yield {"parts": [(*part, size) for part, size in (+parts).most_common()]}


def _allocations() -> int:
    return int(torch.cuda.memory_stats()["allocation.all.allocated"])


def _tensor_bytes(training: Training) -> int:
    """Return the bytes that the simulation, too, has before a step."""
    live = LiveMeter(training.batch.input.device)
    live.track(training.batch)
    live.track_model(training.model)
    return live.live_bytes
