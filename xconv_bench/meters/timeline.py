"""Live tensor memory over the whole of a step: every storage from its first byte to its last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from xconv_bench.meters.by_layer import BACKWARD, LayerMemoryMeter
from xconv_bench.meters.live import LiveMeter


@dataclass(frozen=True)
class Span:
    """A part of a step, from one tick to another; a tick is a change of the memory.

    ``name`` says what it is: the operator that made a tensor, or a layer. ``bytes`` are those of a
    tensor; ``phase`` is that of a layer.
    """

    name: str
    begin: int
    end: int
    bytes: int = 0
    phase: str = ""


@dataclass(frozen=True)
class Timeline:
    """The memory of a step: ``levels`` are the live bytes after each tick, from tick 0 on."""

    levels: list[int]
    tensors: list[Span]
    layers: list[Span]


class TimelineMeter(LiveMeter):
    """Counts as its parent does, and remembers every change."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.levels: list[int] = []
        self._living: dict[int, Span] = {}
        self._gone: list[Span] = []
        self._maker = ""

    @property
    def tick(self) -> int:
        """Return the number of changes so far."""
        return len(self.levels)

    @property
    def tensors(self) -> list[Span]:
        """Return the storages that lived, in the order in which they came; some live still."""
        living = (replace(span, end=self.tick) for span in self._living.values())
        return sorted([*self._gone, *living], key=lambda span: span.begin)

    def start(self) -> None:
        """Let the first tick be now: all that lives begins with it."""
        self.levels = [self.live_bytes]
        self._gone.clear()
        self._living = {key: replace(span, begin=0) for key, span in self._living.items()}

    @contextmanager
    def made_by(self, maker: str) -> Iterator[None]:
        """Name what is tracked inside after ``maker``."""
        before, self._maker = self._maker, maker
        try:
            yield
        finally:
            self._maker = before

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        with self.made_by(str(func).removesuffix(".default")):
            return super().__torch_dispatch__(func, types, args, kwargs)

    def _track_storage(self, storage: torch.UntypedStorage, kind: str) -> None:
        before = self.live_bytes
        super()._track_storage(storage, kind)
        if self.live_bytes == before:
            return
        key = storage._cdata
        known = self._living.pop(key, None)  # it has grown
        if known is not None:
            self._gone.append(replace(known, end=self.tick))
        name = self._maker if known is None else known.name
        self._living[key] = Span(name, self.tick, self.tick, self._sizes[key])
        self.levels.append(self.live_bytes)

    def _forget(self, key: int) -> None:
        super()._forget(key)
        span = self._living.pop(key, None)
        if span is not None:
            self._gone.append(replace(span, end=self.tick))
            self.levels.append(self.live_bytes)


class LayerTimes(LayerMemoryMeter):
    """Moments of the layers of a step, with the ticks of a timeline at which they are."""

    def __init__(self, model: nn.Module, meter: TimelineMeter) -> None:
        super().__init__(model, _NoGauge())
        self._meter = meter
        self._start = meter.tick
        self._ticks: list[int] = []

    def spans(self) -> list[Span]:
        """Return what lies between the moments: a forward pass before, a backward pass behind."""
        ends = [*self._ticks[1:], self._meter.tick]
        starts = [self._start, *self._ticks[:-1]]
        found = []
        for moment, start, now, end in zip(self.moments, starts, self._ticks, ends, strict=True):
            begin, until = (now, end) if moment.phase == BACKWARD else (start, now)
            if until > begin:
                found.append(Span(moment.layer or "(model)", begin, until, phase=moment.phase))
        return found

    def _note(self, phase: str, layer: str, kind: str) -> None:
        super()._note(phase, layer, kind)
        self._ticks.append(self._meter.tick)


class _NoGauge:
    def now(self) -> int:
        return 0

    def peak(self) -> int:
        return 0
