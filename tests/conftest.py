"""Tests marked ``cuda`` are skipped where torch sees no GPU; there, kernels are interpreted.

All that is imported and collected stays to the end: nobody looks for garbage in it.
"""

import gc
import os
from collections.abc import Sequence
from importlib.util import find_spec

import pytest

OBJECTS_BEFORE_GARBAGE = 10_000
"""The number of new objects that lets Python look for garbage: to collect tests makes many."""

if find_spec("triton") is not None:
    import torch

    if not torch.cuda.is_available():  # Triton looks when it is imported
        os.environ.setdefault("TRITON_INTERPRET", "1")

gc.set_threshold(OBJECTS_BEFORE_GARBAGE, 10, 10)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs CUDA"))
