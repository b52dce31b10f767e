"""The networks of the package timm, which is an optional dependency: ``timm:NAME``."""

from types import ModuleType
from typing import Any

from torch import nn

from xconv_bench.errors import UsageError
from xconv_bench.models.base import Architecture, square_image
from xconv_bench.models.messages import did_you_mean, reason
from xconv_bench.models.torchvision_shim import import_torchvision
from xconv_bench.objectives.automatic import AutomaticObjective

PREFIX = "timm:"


def find(name: str) -> Architecture:
    """Find the network that timm knows as ``name``, which may end with a ``.tag`` of weights.

    Raises UsageError where timm is not installed, and for a name that it does not have.
    """
    settings = _settings(name)
    channels, height, _ = settings.input_size

    def make(image_size: int) -> nn.Module:
        # A network whose weights depend on the image size has to be told of another than its own.
        resized = settings.fixed_input_size and image_size != height
        return _make(name, {"img_size": image_size} if resized else {})

    return Architecture(
        name=f"{PREFIX}{name}",
        family="timm",
        make=make,
        sample_shape=square_image(channels),
        objective=AutomaticObjective(),
        image_size=height,
    )


def _settings(name: str) -> Any:
    """Return timm's ``PretrainedCfg``: the settings that the network was designed for."""
    timm = _import_timm()
    if not timm.is_model(name):
        near = did_you_mean(name, timm.list_models())
        raise UsageError(
            f"timm has no model named '{name}'{near or '; timm.list_models() has all'}"
        )
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:  # no such tag
        raise UsageError(f"timm refuses '{name}': {error} Leave the tag out") from error


def _make(name: str, options: dict[str, Any]) -> nn.Module:
    try:
        return _import_timm().create_model(name, pretrained=False, **options)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        asked = "".join(f" with {key}={value}" for key, value in options.items())
        raise UsageError(f"timm cannot build {name}{asked}: {reason(error)}") from error


def _import_timm() -> ModuleType:
    import_torchvision()  # timm imports it, and would fail where only our door opens
    try:
        import timm
    except ImportError as error:
        raise UsageError(
            f"timm:NAME needs the package timm ({reason(error)}): pip install 'xconv-bench[timm]'"
        ) from error
    return timm
