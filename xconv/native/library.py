"""The compiled library, and the decision to use it: for dense tensors on a CPU that nobody watches.

A kernel returns what torch's operators return, bit for bit or, where it sums products, to rounding,
and draws the same random numbers. So forward and backward pass of a call may decide differently.
"""

import functools
import subprocess

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

from xconv.native import numbers
from xconv.native.building import build
from xconv.native.calling import Library
from xconv.native.team import address_of_team
from xconv.watching import SWITCH, are_kernels_allowed, is_plain, is_watched

_KNOWN = (torch.float32, torch.uint8, torch.int64)


def library_for(*tensors: Tensor) -> Library | None:
    """Return the library if it may read ``tensors`` and nobody watches, else None.

    They must be dense, contiguous and on a CPU, and no operation on them must be recorded.
    """
    if is_watched() or not are_kernels_allowed():
        return None
    is_recorded = torch.is_grad_enabled()
    for tensor in tensors:
        if not _is_readable(tensor, is_recorded):
            return None
    return _loaded()[0]


def library_for_strided(images: Tensor, *tensors: Tensor) -> Library | None:
    """Return ``library_for(*tensors)`` if it may read ``images`` too, of any strides, or None."""
    return library_for(*tensors) if _is_accessible(images, torch.is_grad_enabled()) else None


def library_for_floats(*tensors: Tensor) -> Library | None:
    """Return ``library_for(*tensors)`` if all are float32, uint8 or int64, else None."""
    for tensor in tensors:
        if tensor.dtype not in _KNOWN:
            return None
    return library_for(*tensors)


def describe_use() -> str:
    """Return "in use", or why kernels compiled for the CPU are not used, in a few words."""
    if not are_kernels_allowed():
        return f"off: {SWITCH}=off"
    return _loaded()[1]


def _is_readable(tensor: Tensor, is_recorded: bool) -> bool:
    return _is_accessible(tensor, is_recorded) and tensor.is_contiguous()


def _is_accessible(tensor: Tensor, is_recorded: bool) -> bool:
    return (
        is_plain(tensor)
        and tensor.is_cpu
        and tensor.layout is torch.strided
        and not tensor.is_neg()
        and not (is_recorded and tensor.requires_grad)
        and (tensor.data_ptr() != 0 or not tensor.numel())  # else its numbers lie nowhere
    )


@functools.cache
def _loaded() -> tuple[Library | None, str]:
    try:
        path = build()
        try:
            library = Library(path)
        except OSError:  # a file that was damaged
            library = Library(build(again=True))
    except subprocess.SubprocessError:
        return None, "off: the compiler failed"
    except OSError as error:
        return None, f"off: {error.strerror or error}"
    library.run("use_team", address_of_team())
    with _disable_current_modes(), torch.inference_mode(False):
        if not numbers.are_torchs(library):
            return None, "off: this torch draws other random numbers"
    return library, "in use"
