"""The columns of ``max_batch.csv``: the largest batch whose training step fits."""

from xconv_bench.configuration import MaxBatchConfiguration
from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema, Unit
from xconv_bench.results.schema.settings import settings

MAX_BATCH = Schema(
    "max_batch",
    "Largest batch",
    "The largest batch whose training step fits into the memory.",
    settings(MaxBatchConfiguration, without="batch_size"),
    (
        *shared.OUTCOME,
        Column(
            "max_batch_size", int, "largest batch",
            "samples of a training step that fits; the next that the network takes was tried and "
            "does not",
            Unit.SAMPLES, Better.MORE, Holds.OFF_GPUS,
        ),
        Column(
            "limited_by", str, "limited by",
            "why it is no larger: `memory`, `elements` (a tensor of 2³¹), `network` (it takes no "
            "larger one) or `max` (no larger one was tried)",
        ),
        shared.SIMULATED_PEAK,
        shared.ALLOCATED_PEAK,
        Column(
            "trained_steps", int, "trained",
            "steps that were trained with the answer to see that it holds",
        ),
    ),
    main=("max_batch_size", "limited_by", "allocated_peak_bytes", "simulated_peak_bytes"),
)  # fmt: skip
