"""The networks of diffusers: U-Nets of a diffusion, with a step of it, and autoencoders."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from xconv_bench.errors import UsageError
from xconv_bench.models.base import Architecture
from xconv_bench.models.calls import check_arguments, in_order, parameters_of
from xconv_bench.models.messages import reason
from xconv_bench.models.several_inputs import NeedsInputs
from xconv_bench.objectives.denoising import Denoising

_STEPS = 1000
_TOKENS = 77
_LATENT_SIZE, _SOUND_SIZE = 64, 1024


@cache
def names() -> list[str]:
    """List the names that may be networks, without importing them. Raises ImportError."""
    import diffusers

    kinds = ("Model", "UNet", "Autoencoder", "Transformer")
    return [
        name
        for name in dir(diffusers)
        if any(kind in name for kind in kinds) and "Pipeline" not in name
    ]


def network_class(name: str) -> Any:
    """Return the class, or None where the name is that of something else."""
    import diffusers

    kind = getattr(diffusers, name)
    is_network = inspect.isclass(kind) and issubclass(kind, diffusers.ModelMixin)
    return kind if is_network and kind is not diffusers.ModelMixin else None


def from_configuration(content: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the class that a configuration names, and its values; None where it names none."""
    name = content.get("_class_name")
    if not isinstance(name, str):
        return None
    return name, {key: value for key, value in content.items() if not key.startswith("_")}


def architecture(
    name: str, kind: Callable[..., nn.Module], arguments: Mapping[str, Any]
) -> Architecture:
    """Return the network of a class with these values in its configuration."""
    parameters = parameters_of(kind)
    check_arguments(name, parameters, arguments)
    values = {each.name: each.default for each in parameters.values()}
    inputs = _Noisy(name, kind, {**values, **arguments})
    return Architecture(
        name=name,
        family="diffusers",
        make=_Kind(name, kind, arguments),
        sample_shape=inputs.sample_shape,
        objective=Denoising(),
        image_size=inputs.usual_size,
        inputs=inputs,
    )


@dataclass(frozen=True)
class _Kind:
    """A class with arguments."""

    name: str
    kind: Callable[..., nn.Module]
    arguments: Mapping[str, Any]

    def __call__(self, image_size: int) -> nn.Module:
        try:
            return self.kind(**self.arguments)
        except Exception as error:
            raise UsageError(f"{self.name} cannot be built: {reason(error)}") from error


class _Noisy:
    """Makes the inputs of a network, of a batch size and an image size."""

    def __init__(self, name: str, kind: Any, values: Mapping[str, Any]) -> None:
        self._name = name
        self._forward = kind.forward
        self._dimensions = 1 if "1D" in kind.__name__ else 2
        self._values = values

    def sample_shape(self, image_size: int) -> tuple[int, ...]:
        """Return the shape of one noisy sample: (channels, length) or (channels, side, side)."""
        return self._values.get("in_channels") or 3, *(image_size,) * self._dimensions

    @property
    def usual_size(self) -> int:
        """Return the side that the configuration names, else that of latent images."""
        size = self._values.get("sample_size")
        if isinstance(size, list | tuple):
            size = size[0]
        return size or (_LATENT_SIZE if self._dimensions == 2 else _SOUND_SIZE)

    def __call__(self, batch: int, size: int) -> Any:
        """Return samples, steps of the diffusion and what else ``forward`` does not go without.

        Raises NeedsInputs for a network that takes something else.
        """
        named = {}
        parameters = list(parameters_of(self._forward).values())[1:]
        for each in parameters:
            if each.default is each.empty:
                named[each.name] = self._input(each.name, batch, size)
        classes = self._values.get("num_class_embeds")
        if classes and any(each.name == "class_labels" for each in parameters):
            named["class_labels"] = torch.randint(classes, (batch,))
        return in_order(self._forward, named)

    def _input(self, name: str, batch: int, size: int) -> Any:
        if name == "sample":
            return torch.randn(batch, *self.sample_shape(size))
        if name == "timestep":
            return torch.randint(_STEPS, (batch,))
        width = self._values.get("cross_attention_dim")
        if name == "encoder_hidden_states" and isinstance(width, int):
            return torch.randn(batch, _TOKENS, width)
        raise NeedsInputs(f"{self._name} takes {name}")
