"""torchvision's networks for classification, segmentation and video, by torchvision's names."""

import functools
from typing import Any

from torch import nn

from xconv_bench.errors import UsageError
from xconv_bench.models.base import Architecture, square_image
from xconv_bench.models.sizes import ImageSizes
from xconv_bench.models.torchvision_shim import import_torchvision
from xconv_bench.objectives.objective import CrossEntropy, Objective, PixelCrossEntropy

DEFAULT_FRAMES = 16

_REFUSED = {
    "detection": "detectors take lists of images and boxes",
    "quantization": "quantized networks cannot be trained",
    "optical_flow": "networks for optical flow take pairs of images",
}

_SMALLEST = {
    "alexnet": 63,
    "convnext": 32,
    "densenet": 29,
    "googlenet": 15,
    "inception": 299,  # 75 without the auxiliary head, which is there in training
    "s3d": 223,
    "squeezenet1_0": 21,
    "squeezenet1_1": 17,
    "swin_": 4,
    "vgg": 32,
}
"""Pixels a side below which a training step fails, by how the name begins."""

_AUXILIARY_WEIGHT = {"googlenet": 0.3, "inception_v3": 0.4}
"""The weights of auxiliary heads in the loss, as in torchvision's notes on each network."""


def names() -> list[str]:
    """List every name that ``find`` takes, in alphabetical order."""
    return [name for name in _all_names() if _kind(name) not in _REFUSED]


def find(name: str, frames: int | None = None) -> Architecture:
    """Find the network of that name; ``frames`` is for video alone, where the default is 16.

    Raises KeyError for a name that torchvision does not have, and UsageError for a network that is
    not run here, with the reason, or for frames asked of a network of single images.
    """
    if name not in _all_names():
        raise KeyError(name)
    kind = _kind(name)
    if kind in _REFUSED:
        raise UsageError(
            f"{name} is in torchvision but cannot be measured: {_REFUSED[kind]}; "
            "'xconv-bench models' lists those that can"
        )
    if kind == "video":
        return _video(name, frames)
    if frames is not None:
        raise UsageError(f"{name} takes single images, not {frames} frames: leave the frames out")
    return Architecture(
        name=name,
        family=kind,
        make=functools.partial(_make, name),
        sample_shape=square_image(3),
        objective=_objective(name),
        image_size=_designed_size(name),
        sizes=_sizes(name),
    )


def _video(name: str, frames: int | None) -> Architecture:
    count = DEFAULT_FRAMES if frames is None else frames
    fixed = name.startswith("mvit")
    if fixed and count != DEFAULT_FRAMES:
        raise UsageError(f"{name} takes {DEFAULT_FRAMES} frames, not {count}: leave the frames out")
    return Architecture(
        name=name if frames is None else f"{name}@{frames}",
        family="video",
        make=functools.partial(_make, name),
        sample_shape=lambda image_size: (3, count, image_size, image_size),
        objective=CrossEntropy(400),
        image_size=_designed_size(name),
        sizes=_sizes(name),
        note=f"{count} frames" if fixed or frames else f"{count} frames, or {name}@FRAMES",
    )


def _make(name: str, image_size: int) -> nn.Module:
    models = import_torchvision().models
    return models.get_model(name, weights=None, **_options(name, image_size))


def _options(name: str, image_size: int) -> dict[str, Any]:
    """Return the options of the builder for this size: quick, quiet and offline."""
    if name in _AUXILIARY_WEIGHT:
        return {"aux_logits": True, "init_weights": True}
    if name.startswith("vit_"):
        return {"image_size": image_size}
    if name.startswith("maxvit"):
        return {"input_size": (image_size, image_size)}
    return {"weights_backbone": None} if _kind(name) == "segmentation" else {}


def _objective(name: str) -> Objective:
    if _kind(name) == "segmentation":
        return PixelCrossEntropy(21)
    return CrossEntropy(1000, _AUXILIARY_WEIGHT.get(name, 0.0))


def _sizes(name: str) -> ImageSizes:
    if name.startswith("mvit"):
        return ImageSizes(smallest=224, largest=224)
    if name.startswith("maxvit"):
        return ImageSizes(multiple=224)  # windows of 7 on maps 4 to 32 times smaller than the image
    if name.startswith("vit_"):
        return ImageSizes(multiple=int(name.rpartition("_")[2]))  # the patch
    smallest = (size for start, size in _SMALLEST.items() if name.startswith(start))
    return ImageSizes(smallest=max(smallest, default=1))


def _designed_size(name: str) -> int:
    """Return the size of the published weights, the smallest where there are several."""
    transforms = [
        w.transforms.keywords for w in import_torchvision().models.get_model_weights(name)
    ]
    sizes = [options.get("crop_size") or options["resize_size"] for options in transforms]
    return min(size if isinstance(size, int) else size[0] for size in sizes)


def _kind(name: str) -> str:
    """Return its folder in ``torchvision.models``; ``classification`` at the top."""
    folders = import_torchvision().models.get_model_builder(name).__module__.split(".")[2:-1]
    return folders[0] if folders else "classification"


def _all_names() -> list[str]:
    return import_torchvision().models.list_models()
