"""The columns of ``layers.csv``: the moments of a step, in their order."""

from xconv_bench.configuration import Configuration
from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema, Unit
from xconv_bench.results.schema.settings import settings

LAYERS = Schema(
    "layers",
    "Memory along a training step",
    "The memory behind every layer of one step, forward and backward.",
    (
        *settings(Configuration),
        Column("position", int, "position", "number of the moment in its step, from 0 on"),
    ),
    (
        *shared.OUTCOME,
        Column("phase", str, "phase", "`forward`, `backward` or `recompute`"),
        shared.LAYER.told("module that has just run, `loss`, or `end`"),
        Column("kind", str, "kind", "class of the module"),
        Column(
            "start_bytes", int, "start",
            "memory before the step: weights, gradients, the batch",
            Unit.BYTES, Better.LESS, Holds.OFF_GPUS,
        ),
        Column(
            "layer_bytes", int, "memory",
            "memory behind the layer: simulated and on the CPU of live tensors, on a GPU of "
            "torch's allocator",
            Unit.BYTES, Better.LESS, Holds.OFF_GPUS,
        ),
        Column(
            "layer_peak_bytes", int, "layer peak", "the most memory since the moment before",
            Unit.BYTES, Better.LESS, Holds.OFF_GPUS,
        ),
        Column(
            "nvml_process_bytes", int, "nvml process",
            "memory behind the layer as the driver (NVML) counts it, with torch's cache off",
            Unit.BYTES, Better.LESS, Holds.ON_ITS_MACHINE,
        ),
    ),
    main=("layer_peak_bytes",),
    inner=("position",),
)  # fmt: skip
