"""Eager quantization knows modules by their class, and passes ours over without a word."""

import warnings
from typing import Any

_MARK = "qconfig"
"""Attribute by which ``torch.ao.quantization`` marks the modules that it is to replace."""


class PassedOver:
    """Say so when a module of a class derived from this is prepared for eager quantization."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == _MARK and value is not None:
            warnings.warn(
                f"eager quantization leaves {type(self).__name__} as it is: it does not know the "
                "class; call xconv.revert on the model first",
                stacklevel=3,
            )
        super().__setattr__(name, value)
