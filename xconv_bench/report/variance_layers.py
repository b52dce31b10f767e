"""Which layers a picture of variances shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xconv_bench.report.settings import by_layer
from xconv_bench.report.summary import Row
from xconv_bench.results.schema import ALL_LAYERS

_MOST = 5


def shown_layers(rows: Iterable[Row], layers: Sequence[str] | None) -> list[str]:
    """``layers`` where they are given, or else a few from the first to the last; then all."""
    found = [layer for layer in by_layer(rows, layers) if layer != ALL_LAYERS]
    if layers is None and len(found) > _MOST:
        found = [found[i * (len(found) - 1) // (_MOST - 1)] for i in range(_MOST)]
    return [*found, ALL_LAYERS]


def panel_title(layer: str) -> str:
    """``layer 7``, ``stage1.conv``, or what all are together."""
    if layer == ALL_LAYERS:
        return "all layers together"
    return f"layer {layer}" if layer[:1].isdigit() else layer
