"""Columns that several tables have."""

from xconv_bench.results.schema.column import Better, Column, Holds, Unit

ALL_LAYERS = "all"
"""The ``layer`` of a row over the convolution weights of the whole network together."""

LAYER = Column("layer", str, "layer", f"module, or `{ALL_LAYERS}` for all of them together")
OUTCOME = (
    Column("status", str, "status", "how the measurement ended; `ok` where it has figures"),
    Column("message", str, "message", "reason of a failure, or a remark on the figures"),
)
WEIGHT_ELEMENTS = Column("weight_elements", int, "weight elements", "elements of the weights")
GRADIENT_NORM = Column(
    "gradient_norm", float, "gradient norm", "norm of the exact gradient", holds=Holds.OFF_GPUS
)

SAVED = Column(
    "saved_bytes", int, "saved",
    "tensors that autograd keeps between the forward and the backward pass, parameters excluded",
    Unit.BYTES, Better.LESS, is_not="parameters and buffers; the input batch is in it",
)  # fmt: skip
LAYER_SAVED = SAVED.told(
    "tensors that autograd keeps for the layer between the forward and the backward pass, for all "
    "layers what it keeps for the whole network, parameters excluded"
)

LIVE_PEAK = Column(
    "live_peak_bytes", int, "live peak",
    "the most that tensors held at one time, counted exactly in blocks of 512 bytes",
    Unit.BYTES, Better.LESS, Holds.OFF_GPUS, is_not="workspaces inside a kernel, fragmentation",
)  # fmt: skip
SIMULATED_PEAK = Column(
    "simulated_peak_bytes", int, "simulated peak",
    "the most that tensors hold at one time, counted with nothing computed and nothing allocated",
    Unit.BYTES, Better.LESS, is_simulated=True,
    is_not="workspaces inside a kernel, fragmentation; the same on every machine but for recurrent "
    "layers",
)  # fmt: skip
ALLOCATED_PEAK = Column(
    "allocated_peak_bytes", int, "allocated peak",
    "the most that torch's CUDA allocator had given to tensors and kernels",
    Unit.BYTES, Better.LESS, Holds.ON_ITS_MACHINE, is_not="context, cache, other processes",
)  # fmt: skip
SYSTEM_PEAKS = (
    Column(
        "reserved_peak_bytes", int, "reserved peak",
        "the most that this allocator had taken from the GPU: allocated, cached and fragmented",
        Unit.BYTES, Better.LESS, Holds.ON_ITS_MACHINE, is_not="context, other processes",
    ),
    Column(
        "nvml_process_peak_bytes", int, "process peak",
        "the most that the driver (NVML) counted for the process, its CUDA context included",
        Unit.BYTES, Better.LESS, Holds.ON_ITS_MACHINE, is_not="other processes",
    ),
    Column(
        "nvml_device_peak_bytes", int, "device peak",
        "the most that the driver (NVML) counted for the whole GPU, other processes included",
        Unit.BYTES, Better.LESS, Holds.ON_ITS_MACHINE, is_not="this process alone",
    ),
    Column(
        "nvml_context_bytes", int, "context",
        "memory that the process takes on the GPU beyond torch's allocator: CUDA context and "
        "libraries",
        Unit.BYTES, Better.LESS, Holds.ON_ITS_MACHINE, is_not="tensors",
    ),
    Column(
        "rss_peak_bytes", int, "rss peak",
        "the largest resident set of the process on the CPU, interpreter included; noisy",
        Unit.BYTES, Better.LESS, Holds.ON_ITS_MACHINE, is_not="a threshold for anything",
    ),
)  # fmt: skip
PEAKS = (ALLOCATED_PEAK.name, LIVE_PEAK.name, SIMULATED_PEAK.name)
"""The meters of peak memory, the one to be shown first where there are several."""

PEAK = Column(
    "peak_bytes", int, "peak", "the most memory that a training step takes",
    Unit.BYTES, Better.LESS, Holds.OFF_GPUS, ratio="peak_ratio",
)  # fmt: skip

FORWARD = Column(
    "forward_seconds", float, "forward", "time of the forward pass, median of the steps",
    Unit.SECONDS, Better.LESS, Holds.ON_ITS_MACHINE, ratio="forward_ratio",
)  # fmt: skip
BACKWARD = Column(
    "backward_seconds", float, "backward", "time of the backward pass, median of the steps",
    Unit.SECONDS, Better.LESS, Holds.ON_ITS_MACHINE, ratio="backward_ratio",
)  # fmt: skip
STEP = Column(
    "step_seconds", float, "step", "time of a whole step without the optimizer, median",
    Unit.SECONDS, Better.LESS, Holds.ON_ITS_MACHINE, ratio="step_ratio",
    is_not="comparable between machines; rows of `memory.csv` are measured one after another, so "
    "other work on the machine distorts their ratios",
)  # fmt: skip
STEP_RATIO = Column(
    "step_ratio", float, "step ratio", "time of a step over that of exact",
    Unit.TIMES_EXACT, Better.LESS, Holds.ON_ITS_MACHINE,
)  # fmt: skip
CPU_WAIT = Column(
    "cpu_wait_part", float, "part waited for a core",
    "part of the time that threads waited for a core while the steps were on the clock: 0 "
    "undisturbed, 1/2 where other work shared each core",
    holds=Holds.ON_ITS_MACHINE, is_added=True,
    is_not="a correction: where threads wait for each other, a step takes far longer than this "
    "part; from a tenth on `message` says so",
)  # fmt: skip

NOISE = "at 1 the noise is as large as the gradient"
"""The remark with which a relative error is to be read."""
ERROR = Column(
    "relative_error", float, "error",
    "distance of the convolutions' weight gradients from the exact ones, root mean square, "
    f"relative to them; {NOISE}",
    Unit.RELATIVE, Better.LESS, Holds.OFF_GPUS,
    is_not="an error after a look at the batch: what a method learns, as `spectral` its plan, "
    "comes from another batch, as in training",
)  # fmt: skip
FLOOR = Column(
    "floor_error", float, "floor",
    "distance of the exact gradient from itself, computed twice: smaller errors say nothing",
    Unit.RELATIVE, holds=Holds.OFF_GPUS, is_added=True,
    is_not="an error of the method; it is 0 but for networks and kernels that cannot repeat "
    "themselves",
)  # fmt: skip
