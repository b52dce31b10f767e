"""A warning for eager quantization, which knows modules by their class and skips ours silently."""

import warnings
from typing import Any

_MARK = "qconfig"
"""Attribute with which ``torch.ao.quantization`` marks the modules that it will replace."""


class PassedOver:
    """Base of modules that warn when they are prepared for eager quantization."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == _MARK and value is not None:
            warnings.warn(
                f"eager quantization leaves {type(self).__name__} as it is: it does not know the "
                "class; call xconv.revert on the model first",
                stacklevel=3,
            )
        super().__setattr__(name, value)
