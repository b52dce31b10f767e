"""The one door to torchvision, for installations whose compiled extension does not load.

The extension is built against one version and one flavour of torch; beside another (a CPU-only
torch is the usual case) it is skipped in silence. ``import torchvision`` then fails all the same,
because it describes the shapes of ``torchvision::nms`` and ``torchvision::qnms``, operators that
the extension would have declared. Declaring them here, without an implementation, is enough for
every model that is not a detector. Where the extension loads, nothing is declared.
"""

import functools
import importlib
from types import ModuleType

import torch

from xconv_bench.errors import BenchError
from xconv_bench.models.messages import reason

_OPERATORS = ("nms", "qnms")


def import_torchvision() -> ModuleType:
    """Import ``torchvision``. Raises BenchError, with the reason, where that cannot be done."""
    try:
        return importlib.import_module("torchvision")
    except Exception:
        if not _operators_declared():
            _declare_operators()
    # The submodules that were imported before the failure stay in sys.modules. They are whole, and
    # must not run twice: what they registered with torch is there already.
    try:
        return importlib.import_module("torchvision")
    except Exception as error:
        raise BenchError(f"torchvision cannot be imported: {reason(error)}") from error


def _operators_declared() -> bool:
    return all(hasattr(torch.ops.torchvision, name) for name in _OPERATORS)


@functools.cache  # torch forgets a library's operators when the library dies
def _declare_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in _OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
