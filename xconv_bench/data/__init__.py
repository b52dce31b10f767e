"""Samples that networks are trained on, by name, and batches of them."""

from xconv_bench.data.batches import Batch, batch, simulated_batch

__all__ = ["Batch", "batch", "simulated_batch"]
