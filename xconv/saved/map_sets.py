"""Sets of maps that share statistics: BatchNorm's, InstanceNorm's and GroupNorm's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from torch import Tensor


@dataclass(frozen=True)
class MapSets:
    """Sets of maps of (batch, channels, *pixels) that share statistics.

    They are the maps of a group of channels, of one image or of all.
    """

    groups: int
    across_batch: bool = False

    def count(self, shape: Sequence[int]) -> int:
        """Return the numbers that share statistics."""
        return prod(shape) // (self.groups * (1 if self.across_batch else shape[0]))

    def is_by_channel(self, shape: Sequence[int]) -> bool:
        """Return whether a set is one channel of all images."""
        return self.across_batch and self.groups == shape[1]

    def pooled(self, tables: Tensor) -> Tensor:
        """Return tables (n, images, channels) of maps, summed over maps that share statistics."""
        pooled = tables.unflatten(2, (self.groups, -1)).sum(3)
        return pooled.sum(1, keepdim=True) if self.across_batch else pooled

    def of_maps(self, statistics: Tensor, shape: Sequence[int], *tables: int) -> Tensor:
        """Return (*tables, images, channels): the statistics of each map, from as many tables."""
        batch, channels = shape[:2]
        table = statistics.reshape(*tables, -1, self.groups, 1)
        spread = table.expand(*tables, batch, -1, channels // self.groups)
        return spread.reshape(*tables, batch, channels)
