"""Submodules, parameters and buffers, read from the dictionaries of ``torch.nn.Module``.

A class may override ``modules``, ``parameters``, ``named_buffers`` and similar methods for its own
purposes, and torch's versions call one another. These functions return what torch's do, in the same
order, with the same names and the same treatment of duplicates, and call no method of the module.
"""

from collections.abc import Iterator

from torch import Tensor, nn


def named_modules(
    module: nn.Module, prefix: str = "", remove_duplicate: bool = True
) -> Iterator[tuple[str, nn.Module]]:
    """Yield ``module`` and all modules inside it with their names, each before its own children."""
    return _walk(module, prefix, set(), remove_duplicate)


def modules(module: nn.Module) -> Iterator[nn.Module]:
    """Return ``module`` and all modules inside it, in the order of ``named_modules``."""
    return (each for _, each in named_modules(module))


def children(module: nn.Module) -> Iterator[nn.Module]:
    """Return the direct children of ``module``."""
    found = {id(child): child for child in module._modules.values() if child is not None}
    return iter(found.values())


def named_parameters(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield each parameter once, under the first of its names."""
    seen: set[int] = set()
    for prefix, each in named_modules(module):
        for name, parameter in each._parameters.items():
            if parameter is not None and id(parameter) not in seen:
                seen.add(id(parameter))
                yield _join(prefix, name), parameter


def named_buffers(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield each buffer once, including buffers that are not part of a ``state_dict``."""
    seen: set[int] = set()
    for prefix, each in named_modules(module):
        for name, buffer in each._buffers.items():
            if buffer is not None and id(buffer) not in seen:
                seen.add(id(buffer))
                yield _join(prefix, name), buffer


def parameters(module: nn.Module) -> Iterator[nn.Parameter]:
    """Return all parameters, each once."""
    return (parameter for _, parameter in named_parameters(module))


def buffers(module: nn.Module) -> Iterator[Tensor]:
    """Return all buffers, each once."""
    return (buffer for _, buffer in named_buffers(module))


def _walk(
    module: nn.Module, prefix: str, seen: set[int], remove_duplicate: bool
) -> Iterator[tuple[str, nn.Module]]:
    if remove_duplicate:
        if id(module) in seen:
            return
        seen.add(id(module))
    yield prefix, module
    for name, child in list(module._modules.items()):
        if child is not None:
            yield from _walk(child, _join(prefix, name), seen, remove_duplicate)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
