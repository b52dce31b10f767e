"""Configurations: the columns by which rows are known, with a kind of them for each table.

A column declares once its default and how titles and labels describe a value.
"""

from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any, Self, TypeVar

from xconv_bench.knobs import KNOBS, Knobs

Kind = TypeVar("Kind", bound="Configuration")


def _described(phrase: str, default: Any = MISSING) -> Any:
    """Declare a column whose values ``phrase`` describes, with ``{}`` for the value."""
    return field(default=default, metadata={"phrase": phrase})


@dataclass(frozen=True)
class _Subject:
    """The columns before those of the knobs."""

    model: str
    method: str = "exact"


@dataclass(frozen=True)
class Configuration(Knobs, _Subject):
    """One cell of a sweep: the columns by which a row is known, in their order in the tables.

    Knobs that the method does not have are None, so that combinations that mean the same compare
    equal. ``image_size`` is the width and height in pixels. ``device`` is ``"simulated"`` where
    nothing is computed.
    """

    batch_size: int = _described("batch {}", 32)
    image_size: int = _described("{} px", 224)
    dtype: str = "float32"
    device: str = "cpu"
    seed: int = _described("seed {}", 0)

    @property
    def key(self) -> dict[str, Any]:
        """Return the values by which a row of this cell is known, by column."""
        return asdict(self)

    def as_exact(self) -> Self:
        """Return the same cell with the method that all others are compared with."""
        nothing: dict[str, Any] = dict.fromkeys(KNOBS)
        return replace(self, method="exact", **nothing)

    def extended(self, kind: type[Kind], **columns: Any) -> Kind:
        """Return this cell as one of an experiment that needs more ``columns``."""
        return kind(**asdict(self), **columns)


JOINT = "+"
"""Between the names of methods that are applied one after the other, as in a ``method``."""

SIMULATED = "simulated"
"""The ``device`` of a configuration that is simulated and not computed."""


@dataclass(frozen=True)
class MemoryConfiguration(Configuration):
    """A cell of ``memory``; each repeat has a seed of its own."""

    repeat: int = 0


@dataclass(frozen=True)
class GradientConfiguration(Configuration):
    """A cell that compares gradients: its data, and where its weights come from.

    ``samples`` is the number of samples to draw from. ``weights`` is ``"random"``,
    ``"torchvision"`` or the path of a file; the network is then trained exactly for
    ``warmup_steps`` steps.
    """

    data: str = "photos"
    samples: int = _described("{} samples", 4096)
    weights: str = _described("{} weights", "random")
    warmup_steps: int = _described("{} steps of training", 0)


@dataclass(frozen=True)
class ErrorConfiguration(GradientConfiguration):
    """A cell of ``error``: one batch, ``repeats`` seeds of the estimator."""

    repeats: int = _described("{} seeds of the estimator", 32)


@dataclass(frozen=True)
class AdviceConfiguration(GradientConfiguration):
    """A cell of ``advise``: a plan for a peak of ``memory_budget_bytes`` or for ``target_error``.

    Each setting is measured with ``repeats`` seeds of the estimator.
    """

    repeats: int = _described("{} seeds of the estimator", 2)
    memory_budget_bytes: int | None = None
    target_error: float | None = None


@dataclass(frozen=True)
class VarianceConfiguration(GradientConfiguration):
    """A cell of ``variance``: ``repeats`` seeds of the estimator in each of the minibatches."""

    minibatches: int = _described("{} minibatches", 10)
    repeats: int = _described("{} seeds of the estimator", 2)


@dataclass(frozen=True)
class AverageErrorConfiguration(GradientConfiguration):
    """A cell of ``error --age``: every minibatch of the data set once.

    The batch size was chosen for ``memory_budget_bytes``; None where the user gave it.
    """

    memory_budget_bytes: int | None = None


@dataclass(frozen=True)
class MaxBatchConfiguration(Configuration):
    """A cell of ``max-batch``, which searches for the batch size.

    A step may take the fraction ``headroom`` of ``memory_budget_bytes``; batches above ``most``
    samples are not tried.
    """

    memory_budget_bytes: int = 16 * 2**30
    headroom: float = _described("headroom {}", 0.92)
    most: int = _described("at most {} samples", 65536)

    @property
    def key(self) -> dict[str, Any]:
        """Return the values by which a row of this cell is known, without the batch size."""
        return {column: value for column, value in super().key.items() if column != "batch_size"}


@dataclass(frozen=True)
class TrainingConfiguration(Configuration):
    """A cell of ``train``: one training of a task, from its seed to its last epoch.

    ``equal_memory`` is 1 where the batch size, and the learning rate with it, was chosen to fill
    the memory that the exact method takes.
    """

    task: str = "classification"
    data: str = "digits"
    equal_memory: int = 0
    learning_rate: float = _described("learning rate {}", 1e-3)
    epochs: int = _described("{} epochs", 1)


KINDS: tuple[type[Configuration], ...] = (
    MemoryConfiguration, ErrorConfiguration, VarianceConfiguration, AverageErrorConfiguration,
    MaxBatchConfiguration, TrainingConfiguration, AdviceConfiguration,
)  # fmt: skip
"""The kinds that add columns of their own, or columns of a base, to a table."""


def columns_of(kind: type[Configuration]) -> tuple[str, ...]:
    """Return the columns by which rows of ``kind`` are known."""
    return tuple(each.name for each in fields(kind))


def described_columns() -> dict[str, str]:
    """Return the phrases of the columns that have one, with ``{}`` for the value."""
    declared = {each.name: each.metadata for kind in KINDS for each in fields(kind)}
    return {
        name: metadata["phrase"]
        for name, metadata in declared.items()
        if name not in KNOBS and "phrase" in metadata
    }
