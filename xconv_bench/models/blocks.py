"""The natural blocks of a network: the repeated parts that it is a sequence of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from xconv.contents import children

_SEQUENCES = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class Chain:
    """Blocks that follow one another.

    ``container`` calls them in their order, and does nothing else; it is None where each is
    called by whatever code.
    """

    container: nn.Sequential | None
    blocks: Sequence[nn.Module]


def runs_of_blocks(model: nn.Module) -> list[Chain]:
    """Return the parts of a network, in the order in which its modules were made.

    A block is what stands in a sequence (``Sequential``, ``ModuleList``, ``ModuleDict``), or a
    module of several layers that stands alone; but not a sequence of blocks, nor a module with a
    sequence of repeated blocks in it, a stage: the blocks of these count. Single layers count in a
    ``Sequential`` only.
    """
    return list(_visit(model))


def is_layer(module: nn.Module) -> bool:
    """Return whether there are no modules in it."""
    return next(children(module), None) is None


def _visit(module: nn.Module) -> Iterator[Chain]:
    parts = list(children(module))
    if _is_chain(module) and not any(map(_is_divided, parts)):
        assert isinstance(module, nn.Sequential)
        yield Chain(module, parts)
        return
    for child in parts:
        if _is_divided(child) or (_is_chain(child) and not isinstance(module, _SEQUENCES)):
            yield from _visit(child)
        elif not is_layer(child):
            yield Chain(None, [child])


def _is_divided(module: nn.Module) -> bool:
    """Find a sequence of blocks, or a module that has a single one with repeated blocks."""
    parts = list(children(module))
    if isinstance(module, _SEQUENCES):
        return not all(map(is_layer, parts))
    if _repeats(parts) and len({type(part) for part in parts}) == 1:
        return True
    # Among several such sequences side by side, as in inception, none is what it is made of.
    return sum(isinstance(c, _SEQUENCES) and _repeats(list(children(c))) for c in parts) == 1


def _repeats(modules: Sequence[nn.Module]) -> bool:
    """Return whether two of them are blocks of one kind, blocks that are no sequences."""
    blocks = [m for m in modules if not is_layer(m) and not isinstance(m, _SEQUENCES)]
    return len(blocks) > len({type(block) for block in blocks})


def _is_chain(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential) and all(
        getattr(type(module), name) is getattr(nn.Sequential, name)
        for name in ("forward", "__call__")
    )
