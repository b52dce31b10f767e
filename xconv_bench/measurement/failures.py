"""The meaning of exceptions: memory ran out, or a network does not take its batch."""

import torch
from torch._subclasses import fake_tensor

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, on a GPU or on the CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in _OUT_OF_MEMORY
    )


def may_depend_on_batch(error: Exception) -> bool:
    """Return whether a network that raised this may take a batch of another size."""
    if is_out_of_memory(error) or isinstance(error, (NotImplementedError, *_OF_SIMULATION)):
        return False
    return isinstance(error, _REFUSALS)


_REFUSALS = (RuntimeError, ValueError, TypeError, LookupError, AssertionError, ArithmeticError)
_OF_SIMULATION = (
    fake_tensor.DataDependentOutputException,
    fake_tensor.DynamicOutputShapeException,
    fake_tensor.UnsupportedFakeTensorException,
    fake_tensor.UnsupportedOperatorException,
)
