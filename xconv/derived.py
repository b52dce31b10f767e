"""Classes for modules whose class is derived from torch's and runs as torch's does.

Such a class adds a name, a constructor or a helper, and leaves the forward pass alone:
torchvision's video networks have some. Swapped, a module gets a class that is both ours and its
own.
"""

from typing import Any

from torch import nn

_DECISIVE = (
    "__call__", "forward", "_conv_forward", "_output_padding", "_apply_instance_norm", "weight",
    "bias",
)  # fmt: skip
"""What makes up a forward pass, where a class defines it."""


def runs_as(kind: type[nn.Module], base: type[nn.Module]) -> bool:
    """Whether ``kind``, derived from ``base`` or ``base`` itself, has its forward pass."""
    return all(getattr(kind, name, None) is getattr(base, name, None) for name in _DECISIVE)


_MADE: dict[tuple[type, type], type[nn.Module]] = {}


def derive(ours: type[nn.Module], theirs: type[nn.Module]) -> type[nn.Module]:
    """``theirs`` with the forward pass of ``ours``: ``ours`` itself where that is all there is."""
    if issubclass(ours, theirs):
        return ours
    if (ours, theirs) not in _MADE:
        names = {"__module__": theirs.__module__, "__doc__": theirs.__doc__}
        bases = (ours, theirs)
        _MADE[bases] = type(f"X{theirs.__name__}", bases, {**names, "__reduce_ex__": _reduce})
    return _MADE[ours, theirs]


def underived(kind: type) -> type | None:
    """What ``kind`` was derived from for a module, or None where it was not."""
    return kind.__bases__[1] if vars(kind).get("__reduce_ex__") is _reduce else None


def _reduce(module: nn.Module, protocol: int) -> tuple[Any, ...]:
    """For pickling: the class cannot be imported by name, but made again."""
    ours, theirs = next(k for k in type(module).__mro__ if underived(k)).__bases__
    return _new, (ours, theirs), vars(module)


def _new(ours: type[nn.Module], theirs: type[nn.Module]) -> nn.Module:
    kind = derive(ours, theirs)
    return kind.__new__(kind)
