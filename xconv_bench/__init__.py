"""Measure what training convolutional networks in less memory costs.

Each command that measures is a function here, too: ``memory("resnet50", simulate=True)`` returns a
``pandas.DataFrame``, and ``plot`` draws it.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "advise", "error", "frontier", "layers", "max_batch", "memory", "plot", "runtime", "train",
    "variance",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Return a function of the interface, made when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.interface").function(name)


def __dir__() -> list[str]:
    """Return all names, those of the interface included."""
    return sorted({*globals(), *__all__})
