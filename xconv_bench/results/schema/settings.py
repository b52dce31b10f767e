"""The columns that configurations are known by: chosen, so that no value is better than another."""

from dataclasses import Field, fields

from xconv_bench.configuration import Configuration
from xconv_bench.knobs import KNOBS
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


def settings(kind: type[Configuration], without: str | None = None) -> tuple[Column, ...]:
    """Return the columns by which rows of ``kind`` are known, in their order."""
    return tuple(_column(field) for field in fields(kind) if field.name != without)


def _column(field: "Field[object]") -> Column:
    name = field.name
    kind = next(kind for kind in (int, float, str) if field.type in (kind, kind | None))
    if name in KNOBS:
        heading, meaning, unit = name.replace("_", " "), _first_sentence(KNOBS[name].help), None
    else:
        heading, meaning, unit = _TOLD[name]
    return Column(name, kind, heading, meaning, unit, is_chosen=True, is_added=name in KNOBS)


def _first_sentence(text: str) -> str:
    sentence = text.partition(". ")[0].removesuffix(".")
    return sentence[:1].lower() + sentence[1:]
