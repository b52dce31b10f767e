"""Explanations of a training step's memory, as a measurement hands them to a table."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """The bytes that one module keeps for the backward pass.

    ``family`` is one of those of ``xconv.account``; ``how`` says how the module is compressed, or
    why it is not.
    """

    layer: str
    kind: str
    family: str
    saved_bytes: int
    how: str


@dataclass(frozen=True)
class Peak:
    """The moment of the most memory: ``parts`` add up to ``bytes``.

    ``phase`` is ``"forward"`` or ``"backward"``, ``layer`` the module that runs in the
    forward pass, or the loss; empty in the backward pass.
    """

    bytes: int
    phase: str
    layer: str
    parts: Mapping[str, int]


@dataclass(frozen=True)
class Explanation:
    """``held`` has the modules that keep most first; ``peak`` is None where a further step of the
    network did not reach the same peak."""

    held: tuple[Held, ...]
    peak: Peak | None

    @property
    def saved_bytes(self) -> int:
        """Return what all modules and the loss keep together."""
        return sum(each.saved_bytes for each in self.held)
