"""Helpers for tests of kernels in C: the same with kernels and with torch's operators."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor

from xconv.native import building, library
from xconv.native.building import find_compiler
from xconv.native.library import describe_use
from xconv.watching import SWITCH


def give_a_cache() -> None:
    """Let libraries be kept in a temporary folder where the user's own may not be written."""
    try:
        building._cache()
    except OSError:
        os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
        library._loaded.cache_clear()


give_a_cache()
needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="needs a C compiler")


@contextmanager
def switched(word: str) -> Iterator[None]:
    """Inside, kernels are switched "on" or "off"."""
    with mock.patch.dict("os.environ", {SWITCH: word}):
        yield


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Inside, kernels and operators may use ``count`` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def assert_same(run: Callable[..., Any], *arguments: Any) -> None:
    """Hold what ``run`` returns with kernels against what it returns with torch's operators."""
    with switched("on"):
        assert describe_use() == "in use"
        ours = run(*arguments)
    with switched("off"):
        theirs = run(*arguments)
    _compare(ours, theirs)


def _compare(ours: Any, theirs: Any) -> None:
    if isinstance(ours, Tensor):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert ours.stride() == theirs.stride()
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)
    elif ours is None:
        assert theirs is None
    else:
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs, strict=True):
            _compare(*pair)
