"""What networks are trained on: batches of synthetic samples, and the tasks with their losses."""

from xconv_bench.data.batches import Batch, batch, simulated_batch
from xconv_bench.data.tasks import Task

__all__ = ["Batch", "Task", "batch", "simulated_batch"]
