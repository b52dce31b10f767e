"""The columns that configurations are known by: chosen, so that no value is better than another."""

from dataclasses import Field, fields

from xconv_bench.configuration import KNOBS, Configuration
from xconv_bench.results.schema.column import Column, Unit

_TOLD: dict[str, tuple[str, str, Unit | None]] = {
    "model": ("model", "network: a registered name, or a file and a function in it", None),
    "method": ("method", "how the network keeps what its backward pass needs", None),
    "batch_size": ("batch", "samples of a batch", Unit.SAMPLES),
    "image_size": ("image (px)", "side of the square input", Unit.PIXELS),
    "dtype": ("dtype", "type of weights and activations", None),
    "device": ("device", "`cpu`, `cuda`, or `simulated` where nothing is computed", None),
    "seed": ("seed", "seed of weights, data and probes", None),
    "repeat": ("repeat", "number of the repetition; each has a seed of its own", None),
    "data": ("data", "data set", None),
    "samples": ("samples", "samples of the data set that there are to draw from", Unit.SAMPLES),
    "weights": ("weights", "`random`, `torchvision`, or the file that the weights are from", None),
    "warmup_steps": ("warmup steps", "exact training steps before the measurement", None),
    "minibatches": ("minibatches", "minibatches over which the variance is taken", None),
    "repeats": ("repeats", "seeds of the estimator", None),
    "memory_budget_bytes": ("memory", "memory that a training step may take", Unit.BYTES),
    "headroom": ("headroom", "part of the memory that a step may take", None),
    "most": ("most", "largest batch that is tried", Unit.SAMPLES),
    "task": ("task", "problem that the network is trained for", None),
    "equal_memory": ("equal memory", "1 where the batch was chosen for the memory of exact", None),
    "learning_rate": ("learning rate", "learning rate of the optimizer", None),
    "epochs": ("epochs", "epochs of the training", None),
    "target_error": ("target error", "relative error of the gradient that a plan may have", None),
}
"""The heading, the meaning and the unit of each setting but the knobs."""

_KNOBS = {
    "scheme": "scheme by which convolutions are probed",
    "probes": "number of probes r of each convolution",
    "distribution": "distribution of the probes",
    "compress": "families of modules that are compressed",
    "first": "how the input of the first convolution, the batch, is kept: `exact` or `compressed`",
    "allot": "whether bits are those of each layer or the average of the network",
    "segments": "segments of the network that are computed again",
    "keep": "part of the elements that is kept",
    "bits": "bits an element",
    "budget": "part of the activations that the compiler may keep",
    "norm_bits": "bits an element of a normalised input",
    "plan": "plan of what each module keeps: its file, and the digest of its contents",
}
"""The meaning of each knob."""


def settings(kind: type[Configuration], without: str | None = None) -> tuple[Column, ...]:
    """Return the columns by which rows of ``kind`` are known, in their order."""
    return tuple(_column(field) for field in fields(kind) if field.name != without)


def _column(field: "Field[object]") -> Column:
    name = field.name
    kind = next(kind for kind in (int, float, str) if field.type in (kind, kind | None))
    if name in KNOBS:
        heading, meaning, unit = name.replace("_", " "), _KNOBS.get(name, KNOBS[name].help), None
    else:
        heading, meaning, unit = _TOLD[name]
    return Column(name, kind, heading, meaning, unit, is_chosen=True, is_added=name in KNOBS)
