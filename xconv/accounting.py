"""What of a model is probed, what is not, and why."""

from dataclasses import dataclass

from torch import nn

from xconv.contents import named_modules
from xconv.conversion import FAMILIES, why_not
from xconv.modules import Probed
from xconv.saved.functions import Reaching
from xconv.saved.linear import XLinear
from xconv.saved.module import Saving
from xconv.saved.normalizing import Normalizing
from xconv.schemes import SCHEMES
from xconv.state import SWAPPED, State, state_of


@dataclass(frozen=True)
class Entry:
    """One module of a model that belongs to a family."""

    name: str
    kind: str
    swapped: bool
    reason: str
    """How it is compressed if swapped; why it is not, otherwise."""


class Account(tuple[Entry, ...]):
    """Entries in the order of the model's modules; printing it shows a table."""

    __slots__ = ()

    @property
    def swapped(self) -> list[Entry]:
        """Modules that compress what they keep."""
        return [entry for entry in self if entry.swapped]

    @property
    def left(self) -> list[Entry]:
        """Modules that keep what torch keeps."""
        return [entry for entry in self if not entry.swapped]

    def __str__(self) -> str:
        rows = [("module", "class", "swapped", "how, or why not")]
        rows += [
            (e.name or "(model)", e.kind, "yes" if e.swapped else "no", e.reason) for e in self
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [
            "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[3]])
            for row in rows
        ]
        return "\n".join([*lines, f"{len(self.swapped)} swapped, {len(self.left)} left alone"])


def account(model: nn.Module) -> Account:
    """Every module of ``model`` that belongs to a family: swapped or not, and why.

    Whether a sketch would be no smaller than its input depends on shapes: it is known after the
    model has run once. Calls of functions, such as ``torch.nn.functional.relu``, are not modules:
    where ``convert`` reaches them, the modules appear whose forward pass may call some.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module; got {model!r}")
    bases = tuple(base for family in FAMILIES.values() for base in family)
    kinds = (*bases, Reaching)
    return Account(
        _entry(name, module) for name, module in named_modules(model) if isinstance(module, kinds)
    )


def _entry(name: str, module: nn.Module) -> Entry:
    kind = type(module).__name__
    state = state_of(module) or State()
    if isinstance(module, Reaching) and state.mark == SWAPPED and (reason := why_not(module)):
        return Entry(name, kind, False, reason)
    if isinstance(module, Saving | Reaching):
        return Entry(name, kind, *module._xconv_account())
    if isinstance(module, Normalizing):
        bits = state.norm_bits
        words = f"normalised input in {bits} bit{'s' * (bits != 1)} an element"
        return Entry(name, kind, not state.falls_back, state.falls_back or words)
    if not isinstance(module, Probed | XLinear):
        reason = state.mark or why_not(module) or "not converted"
        return Entry(name, kind, False, reason)
    return Entry(name, kind, *_swapped(state))


def _swapped(state: State) -> tuple[bool, str]:
    probing = state.probing
    if probing is None or probing.is_exact:
        return False, "probes=0, the exact layer"
    if state.falls_back:
        return False, state.falls_back
    return True, SCHEMES[probing.scheme].describe(probing)
