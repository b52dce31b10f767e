"""What one row measures."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Configuration:
    """One cell of a sweep: the columns by which a row is known, in their order in the tables.

    ``scheme``, ``probes`` and ``compress`` are None where the method has no such knob, so that
    combinations that mean the same thing compare equal. ``image_size`` is in pixels a side.
    ``device`` is ``"simulated"`` where nothing is computed.
    """

    model: str
    method: str = "exact"
    scheme: str | None = None
    probes: int | None = None
    compress: str | None = None
    batch_size: int = 32
    image_size: int = 224
    dtype: str = "float32"
    device: str = "cpu"
    repeat: int = 0
    seed: int = 0

    @property
    def key(self) -> dict[str, Any]:
        """Column by column, what a row of this cell begins with."""
        return asdict(self)


SIMULATED = "simulated"
"""The ``device`` of a configuration of which only the simulation is asked."""
