"""The columns of ``memory.csv``: a row a step of a method."""

from xconv_bench.configuration import MemoryConfiguration
from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema, Unit
from xconv_bench.results.schema.settings import settings

MEMORY = Schema(
    "memory",
    "Memory of a training step",
    "The most memory that a forward and a backward pass take, what autograd saves between "
    "them, and how long they take.",
    settings(MemoryConfiguration),
    (
        *shared.OUTCOME,
        shared.SAVED,
        shared.LIVE_PEAK,
        shared.SIMULATED_PEAK,
        shared.ALLOCATED_PEAK,
        *shared.SYSTEM_PEAKS,
        shared.FORWARD,
        shared.BACKWARD,
        shared.STEP,
        shared.CPU_WAIT,
        Column(
            "gradient_relative_error", float, "gradient error",
            "distance of the convolutions' weight gradients from the exact ones, relative to them; "
            f"{shared.NOISE}",
            Unit.RELATIVE, Better.LESS, Holds.OFF_GPUS,
            is_not="the noise of minibatches: weights, batch, random numbers and state are the "
            "same; `spectral` has planned by another batch",
        ),
        shared.FLOOR,
        Column("parameters", int, "parameters", "parameters of the network"),
        Column("convolutions", int, "convolutions", "convolutions of the network"),
    ),
    main=(*shared.PEAKS, "saved_bytes", "step_seconds", "gradient_relative_error"),
    inner=("repeat", "seed"),
)  # fmt: skip
