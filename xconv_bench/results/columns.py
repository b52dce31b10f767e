"""The columns of each table, by which of them its rows are known, and how cells are written.

A new column is declared in ``declared.py`` and named here in the tables that have it. An empty
cell is None.
"""

from xconv_bench.configuration import (
    AdviceConfiguration,
    AverageErrorConfiguration,
    Configuration,
    ErrorConfiguration,
    GradientConfiguration,
    MaxBatchConfiguration,
    MemoryConfiguration,
    TrainingConfiguration,
    VarianceConfiguration,
    columns_of,
)
from xconv_bench.results.column import Better, Cell
from xconv_bench.results.declared import COLUMNS

MEMORY_KEY = columns_of(MemoryConfiguration)
"""The columns by which a row of ``memory.csv`` is known."""

MEMORY_COLUMNS = (
    *MEMORY_KEY,
    "status",
    "message",
    "saved_bytes",
    "live_peak_bytes",
    "simulated_peak_bytes",
    "allocated_peak_bytes",
    "reserved_peak_bytes",
    "nvml_process_peak_bytes",
    "nvml_device_peak_bytes",
    "nvml_context_bytes",
    "rss_peak_bytes",
    "forward_seconds",
    "backward_seconds",
    "step_seconds",
    "cpu_wait_part",
    "gradient_relative_error",
    "floor_error",
    "parameters",
    "convolutions",
)
"""The columns of ``memory.csv``.

``cpu_wait_part``, beside times in every table, is the part of the time that threads waited for a
core while the steps were on the clock: 0 undisturbed, 1/2 where other work shared each core.
"""

ALL_LAYERS = "all"
"""The ``layer`` of a row over the convolution weights of the whole network together."""

ERROR_KEY = (*columns_of(ErrorConfiguration), "layer")

ERROR_COLUMNS = (
    *ERROR_KEY,
    "status",
    "message",
    "weight_elements",
    "saved_bytes",
    "gradient_norm",
    "relative_error",
    "relative_error_se",
    "floor_error",
    "cosine",
    "cosine_se",
    "relative_bias",
    "relative_bias_noise",
    "relative_spread",
    "relative_spread_se",
    "bias_p_value",
    "bias_false_alarm_rate",
    "bias_verdict",
)
"""The columns of ``error.csv``; ``*_se`` are standard errors (Monte-Carlo errors).

Over K seeds of the estimator on one batch, with g the exact gradient and ĝ_k the estimates:
``relative_error`` is √(mean ‖ĝ_k - g‖²) / ‖g‖, ``relative_bias`` ‖mean ĝ_k - g‖ / ‖g‖,
``relative_spread`` the standard deviation of ĝ_k over ‖g‖. ``relative_bias_noise`` is what the
bias of K seeds comes to, root mean square, where there is none: spread / √K.
``floor_error`` is the distance of g from itself, computed a second time: 0 but for networks that
cannot be put back and kernels without a fixed order.
``saved_bytes`` is what autograd keeps for the layer; for all layers, for the whole network.
An uncounted step goes before: what a method learns in its first step, such as how ``spectral``
divides its bits, it knows in all that are counted, as it does in training.
"""

ADVICE_KEY = (*columns_of(AdviceConfiguration), "layer")

ADVICE_COLUMNS = (
    *ADVICE_KEY,
    "status",
    "message",
    "family",
    "setting",
    "saved_bytes",
    "exact_saved_bytes",
    "predicted_error",
    "relative_error",
    "predicted_peak_bytes",
    "peak_bytes",
    "step_seconds",
    "step_ratio",
)
"""The columns of ``advice.csv``: what a plan sets each module to, and what came of it.

``predicted_error`` of a module is what it adds to the relative error of the gradient of all
weights, those of linear layers too; that of all modules together, the root of the sum of squares,
is measured as ``relative_error``. ``error.csv`` has the error of the convolutions' weights alone.
``saved_bytes`` is what it keeps so, ``exact_saved_bytes`` exactly.
"""

VARIANCE_KEY = (*columns_of(VarianceConfiguration), "layer")

VARIANCE_COLUMNS = (
    *VARIANCE_KEY,
    "status",
    "message",
    "weight_elements",
    "saved_bytes",
    "gradient_norm",
    "sampling_variance",
    "sampling_variance_se",
    "estimator_variance",
    "estimator_variance_se",
    "total_variance",
    "total_variance_se",
    "variance_ratio",
    "variance_ratio_low",
    "variance_ratio_high",
    "squared_error",
    "squared_error_se",
    "rounding_squared_error",
    "rounding_squared_error_se",
)
"""The columns of ``variance.csv``. A variance is summed over the weights: E‖g - E g‖².

``sampling_variance`` is that of the exact gradient over minibatches, ``estimator_variance`` that of
the estimate given the minibatch, ``total_variance`` that of the estimate over both, measured by
itself. ``variance_ratio`` is estimator / sampling with its 95 % confidence interval.
``squared_error`` is E‖ĝ - g‖², ``rounding_squared_error`` the same of the exact layer in
the same dtype; at half precision g is computed in float64. ``gradient_norm`` is ‖mean g‖.
"""

ESTIMATES_KEY = (*VARIANCE_KEY, "weight_index")

ESTIMATES_COLUMNS = (
    *ESTIMATES_KEY,
    "status",
    "message",
    "exact_gradient",
    "exact_low",
    "exact_high",
    "estimate",
)
"""The columns of ``estimates.csv``: single weights, as the paper's figure 3a shows them.

``exact_gradient`` is the mean over minibatches, ``exact_low`` and ``exact_high`` bound 99 % of the
minibatches, ``estimate`` is a single one. ``weight_index`` counts in the flattened weight.
"""

AGE_KEY = (*columns_of(AverageErrorConfiguration), "layer")

AGE_COLUMNS = (
    *AGE_KEY,
    "status",
    "message",
    "weight_elements",
    "minibatch_count",
    "full_gradient_norm",
    "average_gradient_error",
    "average_gradient_error_se",
    "exact_average_gradient_error",
    "exact_average_gradient_error_se",
)
"""The columns of ``age.csv``: (1/M) Σ_b ‖g - ĝ_b‖² with g the exact gradient of all samples.

``exact_average_gradient_error`` is that of exact gradients on the same minibatches: the floor.
"""

FRONTIER_KEY = columns_of(GradientConfiguration)

FRONTIER_COLUMNS = (
    *FRONTIER_KEY,
    "status",
    "message",
    "peak_meter",
    "peak_bytes",
    "peak_ratio",
    "relative_error",
    "relative_error_se",
    "floor_error",
    "step_seconds",
    "step_ratio",
    "cpu_wait_part",
    "beaten_in_error_by",
    "beaten_in_time_by",
    "beaten_in_all_by",
)
"""The columns of ``frontier.csv``: it follows from those of memory, runtime and error.

``peak_meter`` is the column of ``memory.csv`` that ``peak_bytes`` is from; ratios are to exact;
``relative_error`` is that of all layers, and 0 where it is rounding. A method is beaten where
another takes no more memory and has no larger error, or no longer step, or neither; the column
names it, and is empty on the front.
"""

RUNTIME_KEY = columns_of(Configuration)

RUNTIME_COLUMNS = (
    *RUNTIME_KEY,
    "status",
    "message",
    "rounds",
    *(
        f"{phase}_{figure}{bound}"
        for figure in ("seconds", "ratio")
        for phase in ("forward", "backward", "step")
        for bound in ("", "_low", "_high")
    ),
    "cpu_wait_part",
)
"""The columns of ``runtime.csv``: medians over rounds, and the bounds of their 95 % intervals.

A ratio is the median of the ratios to the exact step of the same round; exact has none.
"""

LAYERS_KEY = (*columns_of(Configuration), "position")

LAYERS_COLUMNS = (
    *LAYERS_KEY,
    "status",
    "message",
    "phase",
    "layer",
    "kind",
    "start_bytes",
    "layer_bytes",
    "layer_peak_bytes",
    "nvml_process_bytes",
)
"""The columns of ``layers.csv``: the moments of a step in their order, ``position`` from 0 on.

``phase`` is ``forward``, ``backward`` or ``recompute``. ``layer_bytes`` is what there is behind the
layer, simulated and on the CPU of live tensors, on a GPU of torch's allocator;
``layer_peak_bytes`` the most since the moment before; ``start_bytes`` what there was before the
step. ``nvml_process_bytes`` is the driver's count, with torch's cache off.
"""

MAX_BATCH_KEY = tuple(
    column for column in columns_of(MaxBatchConfiguration) if column != "batch_size"
)

MAX_BATCH_COLUMNS = (
    *MAX_BATCH_KEY,
    "status",
    "message",
    "max_batch_size",
    "limited_by",
    "simulated_peak_bytes",
    "allocated_peak_bytes",
    "trained_steps",
)
"""The columns of ``max_batch.csv``: the largest batch whose training step fits.

``limited_by`` is ``memory``, ``elements`` (a tensor of 2³¹), ``network`` (it takes no larger one)
or ``max``. The peak is that of a step with this batch. ``trained_steps`` is how many steps it was
trained for to see that it holds.
"""

LAW_KEY = tuple(column for column in VARIANCE_KEY if column != "probes")

LAW_COLUMNS = (
    *LAW_KEY,
    "status",
    "message",
    "points",
    "exponent",
    "exponent_se",
    "r_squared",
    "ratio_at_one_probe",
    "target_ratio",
    "smallest_probes",
)
"""The columns of ``variance_law.csv``: variance_ratio = ``ratio_at_one_probe`` · probes^exponent.

Fitted to the rows of ``variance.csv`` with the same setting and any number of probes.
``smallest_probes`` keep the ratio at ``target_ratio`` or below.
"""

TRAINING_KEY = (*columns_of(TrainingConfiguration), "epoch")

MEASURES = (
    "accuracy", "frechet_distance", "classifier_agreement", "psnr_db", "ssim", "dice", "iou",
)  # fmt: skip
"""What tasks are judged by; a task has one or two of them."""

TRAINING_COLUMNS = (
    *TRAINING_KEY,
    "status",
    "message",
    "loss",
    *MEASURES,
    "epoch_seconds",
    "cpu_wait_part",
    "simulated_peak_bytes",
    "allocated_peak_bytes",
    "reserved_peak_bytes",
    "nvml_process_peak_bytes",
    "nvml_device_peak_bytes",
    "nvml_context_bytes",
    "rss_peak_bytes",
)
"""The columns of ``training.csv``: a row an epoch, 0 before the first step.

``loss`` is the mean over the steps of the epoch, ``epoch_seconds`` their time without evaluation.
Peaks are of a step, and in the row of the last epoch, which also says how the training ended.
"""

DOUBTFUL = "doubtful"
"""The status of a row whose simulated figures differ from those of a real step."""

STATUSES = ("ok", DOUBTFUL, "oom", "error", "timeout", "unsupported", "diverged")

MEASURED_STATUSES = frozenset({"ok", DOUBTFUL})
"""Of rows that have figures; in doubt are the simulated ones alone."""

FINAL_STATUSES = MEASURED_STATUSES | {"oom", "unsupported", "diverged"}
"""A resumed run does not measure these again; the other statuses may have been bad luck."""


def write_cell(column: str, value: Cell) -> str:
    """Return the text of ``value`` in a table, one line that is read back as the same value."""
    return COLUMNS[column].write(value)


def read_cell(column: str, text: str) -> Cell:
    """Return the value of a cell; ValueError where it is not what ``column`` holds."""
    return COLUMNS[column].read(text)


def is_number(column: str) -> bool:
    """Return whether the cells of a column are numbers."""
    return COLUMNS[column].is_number


def larger_is_better(column: str) -> bool:
    """Return whether more of a figure is better; False where less is, or neither."""
    return column in COLUMNS and COLUMNS[column].better is Better.MORE
