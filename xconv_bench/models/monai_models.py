"""The networks of MONAI, an optional dependency: ``monai:SegResNet``, ``monai:UNet(channels=...)``.

Where a network needs ``spatial_dims``, ``in_channels``, ``out_channels`` or ``num_classes`` and the
name does not say them, it takes volumes of one channel and has two outputs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from xconv.contents import modules
from xconv_bench.errors import UsageError
from xconv_bench.models.base import Architecture
from xconv_bench.models.calls import check_arguments, parameters_of, read_call
from xconv_bench.models.messages import did_you_mean, reason
from xconv_bench.models.several_inputs import NeedsInputs
from xconv_bench.models.sizes import ANY_SIZE, ImageSizes
from xconv_bench.models.torchvision_shim import import_torchvision
from xconv_bench.objectives.automatic import AutomaticObjective
from xconv_bench.objectives.denoising import Denoising
from xconv_bench.objectives.dense import DenseCrossEntropy
from xconv_bench.objectives.objective import Objective
from xconv_bench.objectives.outputs import named_tensors

PREFIX = "monai:"

_USUAL = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "num_classes": 2}
_CHANNELS = ("in_channels", "n_input_channels")
_SIZE = "img_size"
_PUBLISHED = "pretrained"
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_IMAGE_SIZE, _VOLUME_SIZE = 224, 96
_DIFFUSION_STEPS = 1000


def find(text: str) -> Architecture:
    """Find the network of that class, which may have arguments in parentheses.

    Raises UsageError where MONAI is not installed, for a name or an argument that it does not
    have, and for arguments of which no network can be built.
    """
    found = _looked_at(text)
    return Architecture(
        name=f"{PREFIX}{text}",
        family="monai",
        make=found.recipe.make,
        sample_shape=found.sample_shape,
        objective=found.objective,
        image_size=found.size,
        sizes=found.sizes,
        inputs=found.inputs,
    )


@dataclass(frozen=True)
class _Recipe:
    """A class with arguments; ``is_sized`` ones are told the image size, too."""

    text: str
    kind: Callable[..., nn.Module]
    arguments: Mapping[str, Any]
    dimensions: int
    is_sized: bool

    def make(self, image_size: int) -> nn.Module:
        size = {_SIZE: (image_size,) * self.dimensions} if self.is_sized else {}
        try:
            return self.kind(**self.arguments, **size)
        except Exception as error:
            raise UsageError(f"{PREFIX}{self.text} cannot be built: {reason(error)}") from error


@dataclass(frozen=True)
class _Network:
    """The facts that a built network tells: what it takes and what it returns."""

    recipe: _Recipe
    channels: int
    dimensions: int
    size: int
    sizes: ImageSizes
    objective: Objective
    inputs: Callable[[int, int], Any] | None

    def sample_shape(self, image_size: int) -> tuple[int, ...]:
        return self.channels, *(image_size,) * self.dimensions


@cache
def _looked_at(text: str) -> _Network:
    recipe = _recipe(text)
    given = recipe.arguments.get("in_shape")
    with torch.random.fork_rng(devices=[]):
        network = recipe.make(_usual_size(recipe.dimensions))
    channels, dimensions = _form(network, recipe)
    size, sizes = _usual_size(dimensions), ANY_SIZE
    if given is not None:
        channels, *sides = given
        dimensions, size = len(sides), sides[-1]
        sizes = ImageSizes(smallest=size, largest=size)
    shape = (channels, *(size,) * dimensions)
    needed = _needed(network)
    return _Network(
        recipe, channels, dimensions, size, sizes,
        objective=_objective(network, shape) if len(needed) == 1 else Denoising(),
        inputs=None if len(needed) == 1 else partial(_inputs, text, needed, channels, dimensions),
    )  # fmt: skip


def _recipe(text: str) -> _Recipe:
    nets = _import_nets()
    call = read_call(text, PREFIX)
    kind = getattr(nets, call.name, None)
    if not callable(kind) or not _is_network(call.name, kind):
        names = [name for name, each in vars(nets).items() if _is_network(name, each)]
        near = did_you_mean(call.name, names) or "; monai.networks.nets has all"
        raise UsageError(f"MONAI has no network '{call.name}'{near}")
    if call.arguments.get(_PUBLISHED):
        raise UsageError(
            f"'{PREFIX}{text}': weights are random here and nothing is downloaded: leave out "
            f"{_PUBLISHED}"
        )
    parameters = parameters_of(kind)
    required = {name for name, each in parameters.items() if each.default is each.empty}
    usual = {name: value for name, value in _USUAL.items() if name in required}
    # Some would download weights unless told not to.
    random = {_PUBLISHED: False} if _PUBLISHED in parameters else {}
    arguments = usual | dict(call.arguments) | random
    is_sized = _SIZE in parameters and _SIZE not in arguments
    if not _passes_on(kind):
        check_arguments(
            f"{PREFIX}{call.name}", parameters, arguments | ({_SIZE: None} if is_sized else {})
        )
    dimensions = arguments.get("spatial_dims", _default(parameters, "spatial_dims", 3))
    return _Recipe(text, kind, arguments, dimensions, is_sized)


def _is_network(name: str, thing: Any) -> bool:
    """Return whether this is a class of networks, or a function that makes one of them."""
    if inspect.isclass(thing):
        return issubclass(thing, nn.Module)
    makes = inspect.isfunction(thing) and _PUBLISHED in inspect.signature(thing).parameters
    return makes and not name.startswith("get_")


def _passes_on(kind: Callable[..., Any]) -> bool:
    """Return whether it takes arguments that its signature does not name."""
    found = inspect.signature(kind).parameters.values()
    return any(each.kind is each.VAR_KEYWORD for each in found)


def _default(parameters: Mapping[str, inspect.Parameter], name: str, otherwise: int) -> int:
    default = parameters[name].default if name in parameters else None
    return default if isinstance(default, int) else otherwise


def _usual_size(dimensions: int) -> int:
    return _VOLUME_SIZE if dimensions > 2 else _IMAGE_SIZE


def _form(network: nn.Module, recipe: _Recipe) -> tuple[int, int]:
    """Return channels and spatial dimensions as told, else of the first convolution."""
    first = next((each for each in modules(network) if isinstance(each, _CONVOLUTIONS)), None)
    if first is None:
        dimensions, channels = recipe.dimensions, 1
    else:
        dimensions, channels = len(first.kernel_size), first.in_channels
    told = [recipe.arguments[name] for name in _CHANNELS if name in recipe.arguments]
    return next(iter(told), channels), recipe.arguments.get("spatial_dims", dimensions)


def _needed(network: nn.Module) -> tuple[str, ...]:
    """Return the names of the inputs that the network does not go without."""
    parameters = list(parameters_of(type(network).forward).values())[1:]
    return tuple(each.name for each in parameters if each.default is each.empty)


def _objective(network: nn.Module, sample_shape: tuple[int, ...]) -> Objective:
    """Return cross-entropy a voxel where the output is as large as the input."""
    outputs: list[Tensor] = []
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
            outputs += named_tensors(network.eval()(torch.empty(2, *sample_shape))).values()
    except Exception:  # a measurement will tell, at the size that is asked for
        return AutomaticObjective()
    dense = [t for t in outputs if t.dim() > 2 and t.shape[2:] == sample_shape[1:]]
    return DenseCrossEntropy.of_channels(dense[0].shape[1]) if dense else AutomaticObjective()


def _inputs(
    text: str, names: tuple[str, ...], channels: int, dimensions: int, batch: int, size: int
) -> Any:
    """Return images and steps of a diffusion. Raises NeedsInputs where others are needed."""
    if names[1:] != ("timesteps",):
        raise NeedsInputs(f"{PREFIX}{text} takes {', '.join(names)}")
    images = torch.randn(batch, channels, *(size,) * dimensions)
    return images, torch.randint(_DIFFUSION_STEPS, (batch,))


def _import_nets() -> ModuleType:
    import_torchvision()  # MONAI imports it where it is installed
    try:
        import monai.networks.nets
    except ImportError as error:
        raise UsageError(
            f"{PREFIX}NAME needs the package monai ({reason(error)}): "
            "pip install 'xconv-bench[monai]'"
        ) from error
    module: ModuleType = monai.networks.nets
    return module
