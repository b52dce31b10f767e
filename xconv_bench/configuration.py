"""What is measured: a configuration is all that decides its rows, and how they are found again."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self, TypeVar

Kind = TypeVar("Kind", bound="Configuration")


@dataclass(frozen=True)
class Configuration:
    """One cell of a sweep: the columns by which a row is known, in their order in the tables.

    ``KNOBS`` are None where the method has no such knob, so that combinations that mean the same
    thing compare equal. ``first`` says what becomes of the convolution whose input is the batch:
    ``"exact"`` or ``"compressed"``; ``allot`` whether the dial is that of each ``"layer"`` or the
    average of a ``"network"``; ``plan`` names the file of a plan, and the digest of its contents,
    which says all of that. ``image_size`` is in pixels a side. ``device`` is
    ``"simulated"`` where nothing is computed.
    """

    model: str
    method: str = "exact"
    scheme: str | None = None
    probes: int | None = None
    distribution: str | None = None
    compress: str | None = None
    first: str | None = None
    allot: str | None = None
    segments: int | None = None
    keep: float | None = None
    bits: float | None = None
    budget: float | None = None
    norm_bits: int | None = None
    plan: str | None = None
    batch_size: int = 32
    image_size: int = 224
    dtype: str = "float32"
    device: str = "cpu"
    seed: int = 0

    @property
    def key(self) -> dict[str, Any]:
        """Column by column, what a row of this cell begins with."""
        return asdict(self)

    def as_exact(self) -> Self:
        """The same cell with the method that all others are held against."""
        nothing: dict[str, Any] = dict.fromkeys(KNOBS)
        return replace(self, method="exact", **nothing)

    def extended(self, kind: type[Kind], **columns: Any) -> Kind:
        """This cell as one of an experiment that needs more ``columns``."""
        return kind(**asdict(self), **columns)


KNOBS = (
    "scheme", "probes", "distribution", "compress", "first", "allot", "segments", "keep", "bits",
    "budget", "norm_bits", "plan",
)  # fmt: skip
"""The settings that some methods read and others do not know."""


def usual_allotment(scheme: object) -> str:
    """Return the ``allot`` of a scheme where none is given, as ``xconv.convert`` has it.

    Reports and older tables need it where torch is not imported.
    """
    return "network" if scheme == "spectral" else "layer"


SIMULATED = "simulated"
"""The ``device`` of a configuration of which only the simulation is asked."""


@dataclass(frozen=True)
class MemoryConfiguration(Configuration):
    """A cell of ``memory``; each repeat has a seed of its own."""

    repeat: int = 0


@dataclass(frozen=True)
class GradientConfiguration(Configuration):
    """What decides gradients beside the network: its data, and where its weights come from.

    ``samples`` is how many samples of the data set there are to draw from; ``weights`` is
    ``"random"``, ``"torchvision"`` or the path of a file; then ``warmup_steps`` steps are trained
    exactly.
    """

    data: str = "photos"
    samples: int = 4096
    weights: str = "random"
    warmup_steps: int = 0


@dataclass(frozen=True)
class ErrorConfiguration(GradientConfiguration):
    """A cell of ``error``: one batch, ``repeats`` seeds of the estimator."""

    repeats: int = 32


@dataclass(frozen=True)
class AdviceConfiguration(GradientConfiguration):
    """A cell of ``advise``: a plan for a peak of ``memory_budget_bytes`` or for ``target_error``.

    Each setting is measured with ``repeats`` seeds of the estimator.
    """

    repeats: int = 2
    memory_budget_bytes: int | None = None
    target_error: float | None = None


@dataclass(frozen=True)
class VarianceConfiguration(GradientConfiguration):
    """A cell of ``variance``: ``repeats`` seeds of the estimator in each of the minibatches."""

    minibatches: int = 10
    repeats: int = 2


@dataclass(frozen=True)
class AverageErrorConfiguration(GradientConfiguration):
    """A cell of ``error --age``: every minibatch of the data set once.

    ``memory_budget_bytes`` is what the batch size was chosen for; None where the user chose it.
    """

    memory_budget_bytes: int | None = None


@dataclass(frozen=True)
class MaxBatchConfiguration(Configuration):
    """A cell of ``max-batch``: the batch size is not given but looked for.

    A step may take ``headroom`` of ``memory_budget_bytes``; ``most`` samples are tried at most.
    """

    memory_budget_bytes: int = 16 * 2**30
    headroom: float = 0.92
    most: int = 65536

    @property
    def key(self) -> dict[str, Any]:
        """As always, without the batch size."""
        return {column: value for column, value in super().key.items() if column != "batch_size"}


@dataclass(frozen=True)
class TrainingConfiguration(Configuration):
    """A cell of ``train``: a task trained from its seed to its last epoch.

    ``equal_memory`` is 1 where the batch was chosen for the memory that exact takes, and the
    learning rate with it.
    """

    task: str = "classification"
    data: str = "digits"
    equal_memory: int = 0
    learning_rate: float = 1e-3
    epochs: int = 1


def columns_of(kind: type[Configuration]) -> tuple[str, ...]:
    """The columns by which rows of ``kind`` are known."""
    return tuple(field.name for field in fields(kind))
