"""Timelines in the Trace Event Format, which Perfetto and chrome://tracing open.

A tick of the timeline is a microsecond there: the horizontal axis counts changes of the memory.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from xconv_bench.meters.by_layer import BACKWARD, FORWARD, RECOMPUTE
from xconv_bench.meters.timeline import Span, Timeline
from xconv_bench.results.files import write_whole

_PROCESS = 1
_THREADS = {FORWARD: 1, BACKWARD: 2, RECOMPUTE: 3}
_COUNTER = "live bytes"


def write_trace(path: Path, title: str, timeline: Timeline) -> None:
    """Write a timeline; ``title`` names its process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    events = chain(_names(title), _levels(timeline), _layers(timeline), _tensors(timeline))
    content = {
        "traceEvents": list(events),
        "displayTimeUnit": "ms",
        "otherData": {"title": title, "unit": "a microsecond is one change of the memory"},
    }
    write_whole(path, json.dumps(content, separators=(",", ":")).encode())


def _event(phase: str, name: str, tick: int, **more: Any) -> dict[str, Any]:
    return {"ph": phase, "name": name, "pid": _PROCESS, "ts": tick, **more}


def _names(title: str) -> Iterator[dict[str, Any]]:
    yield _event("M", "process_name", 0, args={"name": title})
    for phase, thread in _THREADS.items():
        yield _event("M", "thread_name", 0, tid=thread, args={"name": f"layers, {phase}"})
        yield _event("M", "thread_sort_index", 0, tid=thread, args={"sort_index": thread})


def _levels(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """Yield the counter."""
    for tick, level in enumerate(timeline.levels):
        yield _event("C", _COUNTER, tick, args={"bytes": level})


def _layers(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """Yield a slice for each pass of a layer."""
    for span in timeline.layers:
        yield _event(
            "X", span.name, span.begin, dur=span.end - span.begin, tid=_THREADS[span.phase]
        )


def _tensors(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """Yield a slice for each tensor, below the others that the same operator made."""
    passes = sorted(timeline.layers, key=lambda span: span.begin)
    begins = [span.begin for span in passes]
    for number, span in enumerate(timeline.tensors):
        shared = {"cat": "tensor", "id": number, "tid": 0}
        layer = _layer(passes, begins, span.begin)
        yield _event("b", span.name, span.begin, args={"bytes": span.bytes, **layer}, **shared)
        yield _event("e", span.name, span.end, **shared)


def _layer(passes: list[Span], begins: list[int], tick: int) -> dict[str, str]:
    """Return the layer that was at work, and its phase; nothing between layers."""
    place = bisect_right(begins, tick) - 1
    if place < 0 or tick >= passes[place].end:
        return {}
    return {"layer": passes[place].name, "phase": passes[place].phase}
