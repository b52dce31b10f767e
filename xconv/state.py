"""All that this package puts on a module: one object, in one attribute that nobody else uses."""

from dataclasses import dataclass

from torch import nn

from xconv.probing import Probing
from xconv.spectrum.budget import Budget, Member

ATTRIBUTE = "_xconv"
SWAPPED = "swapped"
SKIPPED = "skipped on request"
DEFAULT_NORM_BITS = 4
"""Errors of gradients are then far below the noise of a batch."""


@dataclass
class State:
    """How a module is probed, and what became of it. Pickled and copied with its module; not part
    of its ``state_dict``."""

    probing: Probing | None = None
    """None for a module that is not probed."""
    norm_bits: int = DEFAULT_NORM_BITS
    """Bits an element of the normalised input, of a normalisation."""
    falls_back: str = ""
    """Why the last call kept its input and will find the exact gradient; empty where it did not."""
    is_first: bool = False
    """Whether its input is the batch itself, unless it needs a gradient."""
    member: Member | None = None
    """What has been seen of the layer, and the plan for it, where its scheme or network has any."""
    bits: int = 0
    """Of each slope that an activation keeps; 0 for other modules, and for the default."""
    functions: tuple[str, ...] = ()
    """Families of the functions that are reached in the module's forward pass."""
    mark: str = ""
    """What ``convert`` did: ``SWAPPED``, or why it left the module alone; empty if it did not
    come by."""


def new_state(
    probing: Probing, mark: str = "", budget: Budget | None = None, is_first: bool = False
) -> State:
    """Return the state of a layer that is probed so; those that share a ``budget`` divide
    it by what they need. Layers of the spectral scheme have one of their own where none is given.
    """
    member = None
    if budget is not None or probing.scheme == "spectral":
        member = (budget or Budget(probing)).add()
    return State(probing, is_first=is_first, member=member, mark=mark)


def state_of(module: nn.Module) -> State | None:
    """Return what this package keeps on ``module``, None where that is nothing."""
    state: State | None = vars(module).get(ATTRIBUTE)
    return state


def set_state(module: nn.Module, state: State | None) -> None:
    """Put ``state`` on ``module`` in place of what there was; None leaves nothing.

    Written past ``__setattr__``, which a class may have overridden.
    """
    if state is None:
        vars(module).pop(ATTRIBUTE, None)
    else:
        vars(module)[ATTRIBUTE] = state
