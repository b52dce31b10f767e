"""The networks of segmentation-models-pytorch, an optional dependency: ``smp:Unet/resnet34``.

Arguments follow in parentheses, as in ``smp:Unet/resnet34(classes=4, in_channels=1)``.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from torch import nn

from xconv_bench.errors import UsageError
from xconv_bench.models.base import Architecture, square_image
from xconv_bench.models.calls import check_arguments, parameters_of, read_call
from xconv_bench.models.messages import did_you_mean, reason
from xconv_bench.models.torchvision_shim import import_torchvision
from xconv_bench.objectives.dense import DenseCrossEntropy

PREFIX = "smp:"

_TIMM_ENCODER = "tu-"
_PUBLISHED = "encoder_weights"


def find(text: str) -> Architecture:
    """Find ``ARCHITECTURE``, ``ARCHITECTURE/ENCODER`` or one of them with arguments.

    Raises UsageError where the package is not installed, and for what it does not have.
    """
    smp = _import_smp()
    call = read_call(text, PREFIX)
    name, slash, encoder = call.name.partition("/")
    kind = _architecture(smp, name)
    arguments = {**call.arguments, **({"encoder_name": encoder} if slash else {})}
    if arguments.pop(_PUBLISHED, None) is not None:
        raise UsageError(
            f"'{PREFIX}{text}': weights are random here and nothing is downloaded: leave out "
            f"{_PUBLISHED}"
        )
    parameters = parameters_of(kind)
    check_arguments(f"{PREFIX}{name}", parameters, arguments)
    values = {each.name: each.default for each in parameters.values()} | arguments
    _check_encoder(smp, str(values["encoder_name"]))
    return Architecture(
        name=f"{PREFIX}{text}",
        family="smp",
        make=partial(_make, kind, text, arguments),
        sample_shape=square_image(values["in_channels"]),
        objective=DenseCrossEntropy.of_channels(values["classes"]),
    )


def _architecture(smp: ModuleType, name: str) -> Any:
    """Return the class; as in ``smp.create_model``, capitals do not matter."""
    known = smp.MODEL_ARCHITECTURES_MAPPING
    if name.lower() not in known:
        names = sorted(kind.__name__ for kind in known.values())
        near = did_you_mean(name, names) or f"; it has {', '.join(names)}"
        raise UsageError(f"segmentation-models-pytorch has no architecture '{name}'{near}")
    return known[name.lower()]


def _check_encoder(smp: ModuleType, name: str) -> None:
    names = smp.encoders.get_encoder_names()
    if name in names or name.startswith(_TIMM_ENCODER):
        return
    near = did_you_mean(name, names) or f"; it has {', '.join(names[:3])} and others"
    raise UsageError(
        f"segmentation-models-pytorch has no encoder '{name}'{near}, and {_TIMM_ENCODER}NAME for "
        "those of timm"
    )


def _make(kind: Any, text: str, arguments: dict[str, Any], image_size: int) -> nn.Module:
    try:
        network: nn.Module = kind(**{_PUBLISHED: None}, **arguments)
    except Exception as error:
        raise UsageError(f"{PREFIX}{text} cannot be built: {reason(error)}") from error
    return network


def _import_smp() -> ModuleType:
    import_torchvision()  # its encoders come by way of timm, which imports it
    try:
        import segmentation_models_pytorch
    except ImportError as error:
        raise UsageError(
            f"{PREFIX}NAME needs the package segmentation-models-pytorch ({reason(error)}): "
            "pip install 'xconv-bench[smp]'"
        ) from error
    module: ModuleType = segmentation_models_pytorch
    return module
