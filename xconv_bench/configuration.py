"""What one row measures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Configuration:
    """One cell of a sweep.

    ``scheme``, ``probes`` and ``compress`` are None where the method has no such knob, so that
    unequal combinations that mean the same thing compare equal. ``image_size`` is in pixels a side.
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
    frames: int | None = None
