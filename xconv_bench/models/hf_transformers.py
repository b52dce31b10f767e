"""The networks of transformers: what each is given follows from its configuration.

``labels`` are among the inputs of networks for classification, segmentation and language, which
then return their own loss.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from xconv_bench.errors import UsageError
from xconv_bench.models.base import Architecture, square_image
from xconv_bench.models.calls import in_order
from xconv_bench.models.messages import did_you_mean, reason
from xconv_bench.models.several_inputs import NeedsInputs
from xconv_bench.objectives.automatic import AutomaticObjective

_SIZE = "image_size"
_IMAGE_SIZE, _TOKENS, _SAMPLES = 224, 128, 16000
_NO_NETWORKS = ("Config", "Tokenizer", "Processor", "Extractor", "Pipeline", "PreTrained", "Auto")
_LABELLED = ("Classification",)
_LABELLED_BY_PIXEL = ("SemanticSegmentation",)
_LABELLED_BY_TOKEN = ("CausalLM", "LMHeadModel", "MaskedLM", "ConditionalGeneration")


@cache
def names() -> list[str]:
    """List the names that may be networks, without importing them. Raises ImportError."""
    import transformers

    return [
        name
        for name in dir(transformers)
        if name[:1].isupper() and not name.isupper() and not any(w in name for w in _NO_NETWORKS)
    ]


def network_class(name: str) -> Any:
    """Return the class, or None where the name is that of something else."""
    import transformers

    kind = getattr(transformers, name)
    is_network = inspect.isclass(kind) and issubclass(kind, transformers.PreTrainedModel)
    return kind if is_network and kind.config_class is not None else None


def from_configuration(content: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the class that a configuration names, and its values; None where it names none."""
    classes = content.get("architectures")
    if not isinstance(classes, list) or not classes:
        return None
    left_out = ("architectures", "model_type", "transformers_version")
    values = {name: value for name, value in content.items() if name not in left_out}
    return str(classes[0]), {name: v for name, v in values.items() if not name.startswith("_")}


def architecture(name: str, kind: Any, arguments: Mapping[str, Any]) -> Architecture:
    """Return the network of a class with these values in its configuration."""
    recipe = _Class(name, kind, arguments)
    config = recipe.configuration({})
    inputs = _Configured(name, kind, config)
    return Architecture(
        name=name,
        family="transformers",
        make=recipe.make,
        sample_shape=square_image(inputs.channels),
        objective=AutomaticObjective(),
        image_size=inputs.usual_size,
        inputs=inputs,
    )


@dataclass(frozen=True)
class _Class:
    """A class with values of its configuration; all others are the usual ones."""

    name: str
    kind: Any
    arguments: Mapping[str, Any]

    def configuration(self, more: Mapping[str, Any]) -> Any:
        make = self.kind.config_class
        usual = make()
        for each in self.arguments:
            if not hasattr(usual, each):
                near = did_you_mean(each, usual.to_dict())
                raise UsageError(f"the configuration of {self.name} has no '{each}'{near}")
        try:
            config = make(**self.arguments, **more)
        except Exception as error:
            raise UsageError(f"{self.name} cannot be configured: {reason(error)}") from error
        # As trainers do: caches of keys and values are for generating text.
        if getattr(config, "use_cache", False):
            config.use_cache = False
        return config

    def make(self, image_size: int) -> nn.Module:
        usual = _side(getattr(self.configuration({}), _SIZE, None))
        resized = usual is not None and usual != image_size and _SIZE not in self.arguments
        config = self.configuration({_SIZE: image_size} if resized else {})
        try:
            with warnings.catch_warnings(action="ignore"):
                network: nn.Module = self.kind(config)
        except Exception as error:
            raise UsageError(f"{self.name} cannot be built: {reason(error)}") from error
        return network


class _Configured:
    """Makes the inputs of a network, of a batch size and an image size."""

    def __init__(self, name: str, kind: Any, config: Any) -> None:
        self._name = name
        self._class = kind.__name__
        self._forward = kind.forward
        self._main = kind.main_input_name
        self._config = config

    @property
    def channels(self) -> int:
        """Return those of an image."""
        channels = getattr(self._config, "num_channels", 3)
        return channels if isinstance(channels, int) else 3

    @property
    def usual_size(self) -> int:
        """Return pixels a side, tokens or samples of sound."""
        if self._main == "input_values":
            return _SAMPLES
        if self._main == "input_ids":
            return min(_TOKENS, getattr(self._config, "max_position_embeddings", None) or _TOKENS)
        return _side(getattr(self._config, _SIZE, None)) or _IMAGE_SIZE

    def __call__(self, batch: int, size: int) -> Any:
        """Return tensors by the names of arguments, or in their order where that says the same.

        Raises UsageError for a network that takes something else.
        """
        main = self._main_input(batch, size)
        named = {self._main: main}
        if getattr(self._config, "is_encoder_decoder", False) and self._main == "input_ids":
            named["decoder_input_ids"] = main.clone()
        if "labels" in inspect.signature(self._forward).parameters:
            labels = self._labels(batch, size, main)
            named |= {} if labels is None else {"labels": labels}
        return in_order(self._forward, named)

    def _main_input(self, batch: int, size: int) -> Tensor:
        if self._main == "pixel_values":
            frames = self._frames()
            return torch.randn(batch, *frames, self.channels, size, size)
        if self._main == "input_ids":
            return torch.randint(self._value("vocab_size"), (batch, size))
        if self._main == "input_values":
            return torch.randn(batch, size)
        raise self._refusal()

    def _value(self, name: str) -> int:
        value = getattr(self._config, name, None)
        if not isinstance(value, int):
            raise self._refusal()
        return value

    def _refusal(self) -> NeedsInputs:
        return NeedsInputs(f"{self._name} takes {self._main} and perhaps more")

    def _frames(self) -> tuple[int, ...]:
        frames = getattr(self._config, "num_frames", None)
        return () if frames is None else (frames,)

    def _labels(self, batch: int, size: int, main: Tensor) -> Tensor | None:
        if self._class.endswith(_LABELLED_BY_PIXEL):
            return torch.randint(self._value("num_labels"), (batch, size, size))
        if self._class.endswith(_LABELLED_BY_TOKEN) and self._main == "input_ids":
            return main.clone()
        if self._class.endswith("TokenClassification"):
            return torch.randint(self._value("num_labels"), (batch, size))
        if self._class.endswith(_LABELLED):
            return torch.randint(self._value("num_labels"), (batch,))
        return None


def _side(size: Any) -> int | None:
    """Return one side of an image size of a configuration, which may be two numbers."""
    if isinstance(size, list | tuple):
        return size[0] if size else None
    return size if isinstance(size, int) else None
