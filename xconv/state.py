"""The one object, in the one attribute ``_xconv``, that this package attaches to a module."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from xconv.amounts import bytes_in_words
from xconv.budget import Budget, Member
from xconv.probing import Probing

ATTRIBUTE = "_xconv"
SWAPPED = "swapped"
SKIPPED = "skipped on request"
DEFAULT_NORM_BITS = 4
"""Default bits per element of normalised inputs; the error is far below the noise of a batch."""


@dataclass
class State:
    """The settings of a module and what became of them.

    A state is pickled and copied with its module and is not part of its ``state_dict``.
    """

    probing: Probing | None = None
    """Scheme of a convolution or linear layer; None for other modules."""
    norm_bits: int = DEFAULT_NORM_BITS
    """Bits per element of the normalised input, for a normalisation."""
    falls_back: str = ""
    """Reason why the last call kept its input and will compute the exact gradient, or empty."""
    is_first: bool = False
    """Whether the input is the batch itself, unless the input needs a gradient."""
    member: Member | None = None
    """Observed spectra and plan of the layer, where its scheme or its network uses a plan."""
    bits: int = 0
    """Bits per slope of an activation; 0 for its default and for other modules."""
    functions: tuple[str, ...] = ()
    """Families of the functions that are replaced inside the module's forward pass."""
    called: tuple[str, ...] = ()
    """Families of those functions that it has been seen to call."""
    mark: str = ""
    """``SWAPPED``, or the reason why ``convert`` left the module alone.

    Empty before any conversion.
    """

    def why_exact(self, input: Tensor) -> str:
        """Return the reason to keep ``input`` itself, or an empty text."""
        if self.is_first and not input.requires_grad:
            # While a compiler traces, sizes may be symbols.
            is_known = not torch.compiler.is_compiling()
            size = f" ({bytes_in_words(input.nbytes)})" if is_known else ""
            return f"its input is the batch{size}, which is held anyway"
        return "" if self.probing is None else self.probing.why_exact(input)


def new_state(
    probing: Probing, mark: str = "", budget: Budget | None = None, is_first: bool = False
) -> State:
    """Return the state of a layer that keeps its input by ``probing``.

    Layers with the same ``budget`` divide it among themselves by what each needs. A layer of the
    spectral scheme without a ``budget`` gets one of its own.
    """
    member = None
    if budget is not None or probing.scheme == "spectral":
        member = (budget or Budget(probing)).add()
    return State(probing, is_first=is_first, member=member, mark=mark)


def state_of(module: nn.Module) -> State | None:
    """Return the state of ``module``, or None if it has none."""
    state: State | None = vars(module).get(ATTRIBUTE)
    return state


def set_state(module: nn.Module, state: State | None) -> None:
    """Replace the state of ``module``; None removes it.

    The attribute is written past ``__setattr__``, which a class may have overridden.
    """
    if state is None:
        vars(module).pop(ATTRIBUTE, None)
    else:
        vars(module)[ATTRIBUTE] = state
