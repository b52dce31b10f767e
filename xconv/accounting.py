"""List what of a model is compressed and what is not, why, and how many bytes each module keeps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from xconv.amounts import bits_an_element
from xconv.contents import modules, named_modules
from xconv.conversion import FAMILIES, family_of, revert, why_not
from xconv.kept import Holder
from xconv.modules import Probed
from xconv.saved.functions import Reaching, calls_functions
from xconv.saved.linear import XLinear
from xconv.saved.module import Saving
from xconv.saved.normalizing import Normalizing
from xconv.schemes import SCHEMES
from xconv.state import SWAPPED, State, state_of
from xconv.weighing import ModelArguments, kept_by_holder, on_copy

_UNITS = {"MiB": 2**20, "KiB": 2**10}
_ELSEWHERE = {
    "functions": "kept by functions that its forward pass calls",
    "checkpoint": "what enters a block that is computed again, and has to be exact",
    "other": "no family compresses this class",
    "loss": "kept outside of the model",
}
"""Families of what belongs to no family of ``convert``, and what is said of them."""


@dataclass(frozen=True)
class Entry:
    """Describe one module of a model.

    ``swapped`` says whether it compresses what it keeps, ``reason`` how if it does, and why not
    otherwise. ``family`` is the one of ``convert`` that it belongs to; else ``"functions"`` for a
    forward pass that calls functions, ``"checkpoint"`` for what enters a block that is computed
    again, ``"other"`` for all other modules, ``"loss"`` for what is kept outside of the model.
    ``kept_bytes`` is what it keeps for the backward pass, ``exact_bytes`` what it keeps in torch's
    own form; both are None where no example was given.
    """

    name: str
    kind: str
    swapped: bool
    reason: str
    family: str = ""
    kept_bytes: int | None = None
    exact_bytes: int | None = None


@dataclass(frozen=True)
class Total:
    """Sum up the bytes of one family; ``modules`` counts those of it that keep anything."""

    family: str
    modules: int
    kept_bytes: int
    exact_bytes: int


class Account(tuple[Entry, ...]):
    """Hold the entries of a model's modules; printing it shows a table.

    They are in the order of the model's modules; with an example, those that keep most come first.
    """

    __slots__ = ()

    @property
    def swapped(self) -> list[Entry]:
        """Return the modules that compress what they keep."""
        return [entry for entry in self if entry.swapped]

    @property
    def left(self) -> list[Entry]:
        """Return the modules that keep what torch keeps."""
        return [entry for entry in self if not entry.swapped]

    @property
    def kept_bytes(self) -> int:
        """Return what all of them keep for the backward pass; 0 without an example."""
        return sum(entry.kept_bytes or 0 for entry in self)

    @property
    def exact_bytes(self) -> int:
        """Return what all of them keep in torch's own form; 0 without an example."""
        return sum(entry.exact_bytes or 0 for entry in self)

    @property
    def families(self) -> list[Total]:
        """Return what each family keeps, the largest first; none without an example."""
        found: dict[str, list[Entry]] = {}
        for entry in self:
            if entry.kept_bytes or entry.exact_bytes:
                found.setdefault(entry.family, []).append(entry)
        totals = [
            Total(
                family,
                sum(bool(entry.kept_bytes) for entry in some),
                Account(some).kept_bytes,
                Account(some).exact_bytes,
            )
            for family, some in found.items()
        ]
        return sorted(totals, key=lambda total: -total.kept_bytes)

    def __str__(self) -> str:
        counts = f"{len(self.swapped)} swapped, {len(self.left)} left alone"
        if not any(entry.kept_bytes is not None for entry in self):
            rows = [(_name(e), e.kind, "yes" if e.swapped else "no", e.reason) for e in self]
            heading = ("module", "class", "swapped", "how, or why not")
            return "\n".join([*_table(heading, rows), counts])
        unit = "MiB" if self.exact_bytes >= _UNITS["MiB"] else "KiB"
        bytes = (unit, "exactly", "share")
        modules = _table(
            ("module", "class", "family", *bytes, "how, or why not"),
            [(_name(e), e.kind, e.family, *_cells(e, self, unit), e.reason) for e in self],
            numbers=range(3, 6),
        )
        families = _table(
            ("family", "modules", *bytes),
            [(f.family, str(f.modules), *_cells(f, self, unit)) for f in self.families],
            numbers=range(1, 5),
        )
        kept, exact, _ = _cells(self, self, unit)
        last = f"{kept} {unit} kept for the backward pass, {exact} exactly; {counts}"
        return "\n".join([*modules, "", *families, "", last])


def account(model: nn.Module, example: Any = None, *others: Any) -> Account:
    """List every module of ``model`` that belongs to a family: swapped or not, and why.

    With an ``example``, all modules that keep something for the backward pass are listed, and how
    many bytes they keep, now and in torch's own form. The bytes are counted on a copy without
    contents: nothing is computed, no memory is taken, the model stays as it is. A network that
    reads numbers that it computed is copied and really run.

    A storage that several modules save counts once, for the first of them; parameters and buffers
    count for none. The input counts where a module saves it. Bytes that a function such as
    ``torch.nn.functional.relu`` keeps count for the module whose forward pass calls it. Memory that
    a kernel alone knows of is not counted: on a CPU, the workspace of oneDNN's recurrent layers.

    Whether a sketch would be no smaller than its input depends on shapes: without an example it is
    known after the model has run once.

    Args:
        model: any module, converted or not, in the mode in which it is trained.
        example: what it is called with, a batch as in training: a tensor, or several inputs in a
            tuple, ``account(model, (image, depth))``.
        others: none; several inputs are one example.

    Returns:
        An ``Account``, a tuple of entries. It has ``kept_bytes``, ``exact_bytes`` and ``families``;
        ``print`` shows it as a table.

    Raises:
        TypeError: ``model`` is no module, or inputs are not in a tuple.
        ValueError: the model does not run on ``example``, or cannot be copied.

    >>> import torch
    >>> from xconv import account, convert
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU())
    >>> found = account(convert(model), torch.zeros(8, 3, 32, 32))
    >>> [(entry.kind, entry.kept_bytes, entry.exact_bytes) for entry in found]
    [('XConv2d', 98304, 98304), ('BitReLU', 57600, 1843200)]
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module; got {model!r}")
    if others:
        raise TypeError(
            f"account takes one example, and got {1 + len(others)}: give several inputs in a "
            "tuple, as in account(model, (image, depth))"
        )
    if example is None:
        return Account(_entries(model))
    return on_copy(model, example if isinstance(example, tuple) else (example,), _weighed)


def attribute(model: nn.Module, kept: Mapping[Holder, int]) -> Account:
    """Return the account of ``model`` with the bytes that were found, those that keep most first.

    ``kept`` is what ``KeptMeter.shares`` returns; ``exact_bytes`` are the same.
    """
    return _attributed(_entries(model), model, kept, kept)


def _weighed(model: nn.Module, arguments: ModelArguments) -> Account:
    """Return the account of a model, which is reverted."""
    kept = kept_by_holder(model, arguments)
    entries = list(_entries(model))  # why a layer is exact shows once it has run
    is_converted = any(state_of(module) for module in modules(model))
    exact = kept_by_holder(revert(model), arguments) if is_converted else kept
    return _attributed(entries, model, kept, exact)


def _attributed(
    entries: Iterable[Entry],
    model: nn.Module,
    kept: Mapping[Holder, int],
    exact: Mapping[Holder, int],
) -> Account:
    found = {Holder(entry.name): entry for entry in entries}
    named = dict(named_modules(model))
    for holder in (*kept, *exact):
        if holder not in found:
            found[holder] = _elsewhere(holder, named)
    weighed = (
        replace(entry, kept_bytes=kept.get(holder, 0), exact_bytes=exact.get(holder, 0))
        for holder, entry in found.items()
    )
    return Account(sorted(weighed, key=lambda entry: -(entry.kept_bytes or 0)))


def _entries(model: nn.Module) -> Iterator[Entry]:
    """Yield the entries of modules that belong to a family, in the order of the model."""
    bases = tuple(base for family in FAMILIES.values() for base in family)
    for name, module in named_modules(model):
        if isinstance(module, (*bases, Reaching)):
            yield Entry(name, type(module).__name__, *_how(module), _family(module))


def _how(module: nn.Module) -> tuple[bool, str]:
    """Return whether a module of a family compresses, and how, or why not."""
    state = state_of(module) or State()
    if isinstance(module, Reaching) and state.mark == SWAPPED and (reason := why_not(module)):
        return False, reason
    if isinstance(module, Saving | Reaching):
        swapped, reason = module._xconv_account()
        return swapped, reason
    if isinstance(module, Normalizing):
        words = f"normalised input in {bits_an_element(state.norm_bits)}"
        return not state.falls_back, state.falls_back or words
    if not isinstance(module, Probed | XLinear):
        return False, state.mark or why_not(module) or "not converted"
    return _swapped(state)


def _swapped(state: State) -> tuple[bool, str]:
    probing = state.probing
    if probing is None or probing.is_exact:
        return False, "probes=0, the exact layer"
    if state.falls_back:
        return False, state.falls_back
    return True, SCHEMES[probing.scheme].describe(probing)


def _elsewhere(holder: Holder, named: Mapping[str, nn.Module]) -> Entry:
    """Return the entry of a holder that belongs to no family of ``convert``."""
    if holder.module is None:
        return Entry("(outside)", "", False, _ELSEWHERE["loss"], "loss")
    module = named[holder.module]
    family = "checkpoint" if holder.enters_checkpoint else _family(module)
    return Entry(holder.module, type(module).__name__, False, _ELSEWHERE[family], family)


def _family(module: nn.Module) -> str:
    family = family_of(module)
    if family is not None:
        return family
    is_reached = isinstance(module, Reaching) or calls_functions(module)
    return "functions" if is_reached else "other"


def _name(entry: Entry) -> str:
    return entry.name or "(model)"


def _cells(some: Entry | Total | Account, all: Account, unit: str) -> tuple[str, str, str]:
    """Return bytes now and exactly, and the share of all that is kept now."""
    kept, exact = some.kept_bytes or 0, some.exact_bytes or 0
    share = f"{kept / all.kept_bytes:.1%}" if all.kept_bytes else ""
    return f"{kept / _UNITS[unit]:.2f}", f"{exact / _UNITS[unit]:.2f}", share


def _table(
    heading: tuple[str, ...], rows: Iterable[tuple[str, ...]], numbers: Collection[int] = ()
) -> list[str]:
    """Return the lines of a table; the columns ``numbers`` stand to the right."""
    lines = [heading, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if n in numbers else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
