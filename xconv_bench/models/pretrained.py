"""The weights that torchvision publishes for its networks, from the folder of ``torch.hub``."""

import re
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

import torch

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.models.torchvision_shim import import_torchvision
from xconv_bench.models.weight_files import Weights, read_weights

_HASH = re.compile(r"-([a-f0-9]{8,})\.")
# Names that torchvision itself corrects when it loads the files of its DenseNets.
_OLD_DENSENET_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)")
# Segmentation networks are built without this head, unless their weights are asked for.
_LEFT_OUT = "aux_classifier."


def published_weights(model: str, download: bool) -> Weights:
    """Return torchvision's default weights of a network, with the names that it has here.

    Raises UsageError for a model without such weights, for a damaged file, and where the file is
    not on this machine and ``download`` is False; BenchError where the download fails.
    """
    published = _find(model)
    path = Path(
        torch.hub.get_dir(), "checkpoints", PurePosixPath(urlparse(published.url).path).name
    )
    if not path.exists():
        if not download:
            size = published.meta.get("_file_size")
            raise UsageError(
                f"torchvision's weights of {model} are not on this machine: --download fetches "
                f"them{f' ({size:.0f} MB)' if size else ''}, or put {published.url} at {path}"
            )
        _download(published.url, path)
    weights = read_weights(path, f"delete it, and --download fetches it from {published.url} again")
    return _as_named_here(weights)


def _find(model: str) -> Any:
    models = import_torchvision().models
    name = model.partition("@")[0]
    known = models.get_model_weights(name) if name in models.list_models() else None
    default = getattr(known, "DEFAULT", None)
    if default is None:
        raise UsageError(
            f"torchvision publishes no weights of {model}: take --weights random or the path of a "
            "file"
        )
    return default


def _download(url: str, path: Path) -> None:
    checked = _HASH.search(path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            url, str(path), hash_prefix=checked and checked[1], progress=False
        )
    except (OSError, HTTPException, RuntimeError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise BenchError(
            f"{url} cannot be downloaded: {words}; try again, or put the file at {path}"
        ) from error


def _as_named_here(weights: Weights) -> Weights:
    # In place: what the dictionary knows of versions, which some networks ask for, stays with it.
    for name in list(weights):
        tensor = weights.pop(name)
        if not name.startswith(_LEFT_OUT):
            weights[_OLD_DENSENET_NAME.sub(r"\1", name)] = tensor
    return weights
