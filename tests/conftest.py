"""Tests marked ``cuda`` are skipped where torch sees no GPU; there, kernels are interpreted."""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

import pytest

_OBJECTS_BEFORE_GARBAGE = 10_000
"""The number of new objects after which Python looks for garbage: tests make many."""

if find_spec("triton") is not None:
    import torch

    if not torch.cuda.is_available():  # Triton looks when it is imported
        os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect ten thousand tests without looking for garbage, and never look at them again.

    A search for garbage goes over every object that lives: a third of the time of collecting, and
    half a second for each ``gc.collect()`` of a measurement.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.set_threshold(_OBJECTS_BEFORE_GARBAGE, 10, 10)
        gc.freeze()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs CUDA"))


@pytest.fixture(scope="session", autouse=True)
def seeds_of_devices_that_are_not_there() -> Iterator[None]:
    """Let ``torch.manual_seed`` leave out devices that this machine has not.

    For each of them it notes the stack of its caller: a third of a millisecond, and statistical
    tests seed a hundred thousand times.
    """
    with pytest.MonkeyPatch.context() as patch:
        torch = sys.modules.get("torch")
        for device in ("cuda", "xpu", "mtia") if torch else ():
            module = getattr(torch, device)
            if not module.is_available() and hasattr(module, "manual_seed_all"):
                patch.setattr(module, "manual_seed_all", lambda seed: None)
        yield


@pytest.fixture(scope="module", autouse=True)
def only_new_objects_are_collected() -> Iterator[None]:
    """Keep what earlier files imported out of collections of garbage, which take a second else."""
    gc.collect()
    gc.freeze()
    yield
