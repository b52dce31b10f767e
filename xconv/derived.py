"""Classes for modules whose class is derived from torch's but runs torch's forward pass.

Such a class adds a name, a constructor or a helper and leaves the forward pass alone; some of
torchvision's video networks have such classes. ``convert`` gives the module a new class that is
derived both from ours and from its own.
"""

from typing import Any

from torch import nn

_DECISIVE = (
    "__call__", "forward", "_conv_forward", "_output_padding", "_apply_instance_norm", "weight",
    "bias",
)  # fmt: skip
"""Attributes that decide a forward pass."""


def runs_as(kind: type[nn.Module], base: type[nn.Module]) -> bool:
    """Return whether ``kind``, derived from ``base`` or ``base`` itself, has its forward pass."""
    return all(getattr(kind, name, None) is getattr(base, name, None) for name in _DECISIVE)


_MADE: dict[tuple[type, type], type[nn.Module]] = {}


def derive(ours: type[nn.Module], theirs: type[nn.Module]) -> type[nn.Module]:
    """Return a class with the forward pass of ``ours`` that is also derived from ``theirs``.

    The result is ``ours`` itself if ``ours`` is derived from ``theirs``.
    """
    if issubclass(ours, theirs):
        return ours
    if (ours, theirs) not in _MADE:
        names = {"__module__": theirs.__module__, "__doc__": theirs.__doc__}
        bases = (ours, theirs)
        _MADE[bases] = type(f"X{theirs.__name__}", bases, {**names, "__reduce_ex__": _reduce})
    return _MADE[ours, theirs]


def underived(kind: type) -> type | None:
    """Return the class from which ``derive`` made ``kind``, or None for any other class."""
    return kind.__bases__[1] if vars(kind).get("__reduce_ex__") is _reduce else None


def _reduce(module: nn.Module, protocol: int) -> tuple[Any, ...]:
    """Return what pickle needs to derive the class again, which cannot be imported by name."""
    ours, theirs = next(k for k in type(module).__mro__ if underived(k)).__bases__
    return _new, (ours, theirs), vars(module)


def _new(ours: type[nn.Module], theirs: type[nn.Module]) -> nn.Module:
    kind = derive(ours, theirs)
    return kind.__new__(kind)
