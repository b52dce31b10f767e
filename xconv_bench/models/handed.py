"""Networks that a caller of Python functions has as objects, found by name while work runs."""

from __future__ import annotations

import copy
import inspect
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from xconv.contents import modules
from xconv.state import ATTRIBUTE
from xconv_bench.errors import UsageError
from xconv_bench.models import own
from xconv_bench.models.base import Architecture, square_image
from xconv_bench.models.image_channels import Maker, channels_of
from xconv_bench.models.messages import reason
from xconv_bench.models.preparing import clear_gradients
from xconv_bench.objectives.automatic import AutomaticObjective

_handed: dict[str, Architecture] = {}


@dataclass(frozen=True)
class Network:
    """A ``torch.nn.Module``, or a function that makes one, under the ``name`` that rows show.

    ``pickled`` is the object for other processes; without it, this process alone has ``thing``.
    """

    name: str
    thing: Any = None
    pickled: bytes | None = None

    @classmethod
    def of(cls, name: str, thing: Any) -> Network:
        """Return ``thing`` as a network, pickled where pickle takes it.

        Raises UsageError for what is neither a network nor callable, and for a converted network.
        """
        _check(name, thing)
        try:
            buffer = io.BytesIO()
            torch.save(thing, buffer)
        except Exception:  # anything in it may refuse, with any error
            return cls(name, thing)
        return cls(name, pickled=buffer.getvalue())

    def fresh(self) -> Any:
        """Return a copy of the object, its tensors on the CPU; functions are themselves."""
        if self.pickled is not None:
            return torch.load(io.BytesIO(self.pickled), "cpu", weights_only=False)
        if not isinstance(self.thing, nn.Module):
            return self.thing
        try:
            return copy.deepcopy(self.thing).cpu()
        except Exception as error:
            raise UsageError(
                f"{self.name} cannot be copied ({reason(error)}): give a function that makes it"
            ) from error

    def architecture(self) -> Architecture:
        """Return it with what it takes: ``sample_shape`` of its own, else square images.

        A network's first convolution of images says how many channels they have.
        """
        thing, make = self.fresh(), Maker(self._make)
        declared = getattr(thing, "sample_shape", None)
        if callable(declared):
            sample_shape: Callable[[int], tuple[int, ...]]
            sample_shape = partial(own.shape_of, declared, self.name)
        elif isinstance(thing, nn.Module):
            sample_shape = square_image(channels_of(thing))
        else:
            sample_shape = make.sample_shape
        return Architecture(
            name=self.name,
            family="own",
            make=make,
            sample_shape=sample_shape,
            objective=AutomaticObjective(),
        )

    def _make(self, image_size: int) -> nn.Module:
        thing = self.fresh()
        if isinstance(thing, nn.Module):
            clear_gradients(thing)
            return thing
        return own.call(partial(thing, **_arguments(thing, self.name, image_size)), self.name)


@contextmanager
def at_hand(networks: Sequence[Network]) -> Iterator[None]:
    """Let ``handed`` find these networks within."""
    before = dict(_handed)
    # Now, and not when one is asked for: simulations ask where nothing can be copied.
    _handed.update({network.name: network.architecture() for network in networks})
    try:
        yield
    finally:
        _handed.clear()
        _handed.update(before)


def handed(name: str) -> Architecture | None:
    """Return the network of that name that is at hand, if there is one."""
    return _handed.get(name)


def _check(name: str, thing: Any) -> None:
    if not isinstance(thing, nn.Module):
        if not callable(thing):
            raise UsageError(
                f"a model of type {type(thing).__name__} is none: give a name, a torch.nn.Module, "
                "or a function that returns one"
            )
        _arguments(thing, name, 1)
    elif any(ATTRIBUTE in vars(module) for module in modules(thing)):
        raise UsageError(
            f"{name} is converted by xconv, so that nothing exact is left to compare with: give it "
            "as it was, or xconv.revert(copy.deepcopy(model))"
        )


def _arguments(factory: Callable[..., Any], name: str, image_size: int) -> dict[str, int]:
    """Return the arguments of a factory: its image size, where it asks for one.

    Raises UsageError where it asks for more.
    """
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # some callables written in C do not tell
        return {}
    required = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    if "image_size" in signature.parameters:
        required = required or ["image_size"]
    try:
        arguments = dict.fromkeys(required[:1], image_size)
        signature.bind(**arguments)
    except TypeError as error:
        raise UsageError(
            f"{name}{signature} cannot be called with an image size, or without arguments "
            f"({error}): give a function that fills in the rest, such as lambda: {name}(...)"
        ) from error
    return arguments
