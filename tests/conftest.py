"""Tests marked ``cuda`` are skipped where torch sees no GPU; there, kernels are interpreted."""

import gc
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

import pytest

if find_spec("triton") is not None:
    import torch

    if not torch.cuda.is_available():  # Triton looks when it is imported
        os.environ.setdefault("TRITON_INTERPRET", "1")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs CUDA"))


@pytest.fixture(scope="module", autouse=True)
def only_new_objects_are_collected() -> Iterator[None]:
    """Keep what earlier files imported out of collections of garbage, which take a second else."""
    gc.collect()
    gc.freeze()
    yield
