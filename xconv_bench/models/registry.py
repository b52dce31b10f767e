"""A name -> a network."""

import re
from typing import NoReturn

from xconv_bench.errors import UsageError
from xconv_bench.models import (
    hf_models,
    layer,
    monai_models,
    own,
    own_data,
    paper,
    revnet,
    smp_models,
    timm_models,
    torchvision_models,
)
from xconv_bench.models.base import Architecture
from xconv_bench.models.handed import handed
from xconv_bench.models.messages import did_you_mean
from xconv_bench.naming import split_model

_OURS = {**paper.NETWORKS, **revnet.NETWORKS}
_SOURCES = {
    each.PREFIX: each.find for each in (timm_models, smp_models, monai_models, hf_models, layer)
}
_NAME_AND_FRAMES = re.compile(r"(?P<name>[^@]+)@(?P<frames>[^@/\\]*)")


def find(name: str) -> Architecture:
    """Find the network of that name.

    ``resnet50`` and the other names of torchvision, ``r3d_18@8`` for a video network on 8 frames,
    ``paper/cifar`` or ``revnet50`` and their like, ``timm:NAME``, ``smp:NAME``, ``monai:NAME``,
    ``hf:NAME``, ``conv:64`` for a layer alone, ``package.module:callable``,
    ``path/to/file.py:callable``; any of them with inputs or a loss of the user's own, as
    ``own_data.named`` writes it. Raises UsageError, one line, for any other. A network that is at
    hand as an object goes before all others.
    """
    plain, given = split_model(name)
    if given:
        return own_data.apply(find(plain), name, given)
    if (network := handed(name)) is not None:
        return network
    _check_takes_frames(name)
    source, colon, rest = name.partition(":")
    if colon and source + colon in _SOURCES:
        return _SOURCES[source + colon](rest)
    if colon or name.endswith(own.SUFFIX):
        return own.find(name)
    if name in _OURS:
        return _OURS[name]
    plain, frames = _split_frames(name)
    try:
        return torchvision_models.find(plain, frames)
    except KeyError:
        _refuse(name, plain)


def listing() -> list[Architecture]:
    """List every network that has a name here: those built here, then those of torchvision.

    Networks of other packages and the user's own have names too, but they are not listed.
    """
    return [*_OURS.values(), *map(torchvision_models.find, torchvision_models.names())]


def _check_takes_frames(name: str) -> None:
    match = _NAME_AND_FRAMES.fullmatch(name)
    if match and (":" in name or match["name"] in _OURS):
        raise UsageError(
            f"{match['name']} takes no frames: --frames, or {name}, is for torchvision's "
            "video networks only"
        )


def _split_frames(name: str) -> tuple[str, int | None]:
    match = _NAME_AND_FRAMES.fullmatch(name)
    if match is None:
        return name, None
    if not re.fullmatch("0*[1-9][0-9]{0,8}", match["frames"]):
        raise UsageError(
            f"'{name}' asks for '{match['frames']}' frames: give a whole number from 1 up, "
            f"as in {match['name']}@8"
        )
    return match["name"], int(match["frames"])


def _refuse(name: str, plain: str) -> NoReturn:
    near = did_you_mean(plain, [*_OURS, *torchvision_models.names()])
    raise UsageError(
        f"there is no model named '{name}'{near or ';'} 'xconv-bench models' lists them; "
        "timm:NAME, smp:NAME, monai:NAME, hf:NAME, package.module:callable and "
        "path/to/file.py:callable are names too"
    )
