"""Networks of transformers and diffusers, optional dependencies: ``hf:ViTForImageClassification``.

A class is built from its configuration with random weights; nothing is downloaded. Arguments in
parentheses change the configuration, as in ``hf:UNet2DModel(sample_size=32, layers_per_block=1)``,
and ``hf:path/to/config.json`` is the class and the configuration that such a file names.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xconv_bench.errors import UsageError
from xconv_bench.models import hf_diffusers, hf_transformers
from xconv_bench.models.base import Architecture
from xconv_bench.models.calls import Call, read_call
from xconv_bench.models.messages import did_you_mean, reason
from xconv_bench.models.torchvision_shim import import_torchvision

PREFIX = "hf:"

_FILE = ".json"
_PACKAGES: dict[str, Any] = {"transformers": hf_transformers, "diffusers": hf_diffusers}


def find(text: str) -> Architecture:
    """Find the network of that class or file, with arguments of its configuration.

    Raises UsageError where neither package is installed, and for what they do not have.
    """
    import_torchvision()  # both import it where it is installed
    call = read_call(text, PREFIX)
    if call.name.endswith(_FILE):
        call = _from_file(call)
    elif "/" in call.name:
        raise UsageError(
            f"'{PREFIX}{text}' names a repository, and nothing is downloaded here: give a class, "
            f"as in {PREFIX}ViTForImageClassification, or the path of its config.json"
        )
    module, kind = _class(call.name)
    make: Callable[..., Architecture] = module.architecture
    return make(f"{PREFIX}{text}", kind, call.arguments)


def _from_file(call: Call) -> Call:
    """Return the class that a file of a configuration names, with the values in it."""
    path = Path(call.name).expanduser()
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{PREFIX}{call.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{PREFIX}{call.name} is not JSON: {reason(error)}") from error
    for module in _PACKAGES.values():
        if isinstance(content, dict) and (found := module.from_configuration(content)):
            name, arguments = found
            return Call(name, {**arguments, **call.arguments})
    raise UsageError(
        f"{PREFIX}{call.name} names no class: expected the config.json of a network, with "
        "architectures or _class_name"
    )


def _class(name: str) -> tuple[Any, Any]:
    """Return the package that has a network of this name, and its class."""
    names: list[str] = []
    absent: list[str] = []
    for package, module in _PACKAGES.items():
        try:
            known = module.names()
        except ImportError as error:
            absent.append(f"{package} ({reason(error)})")
            continue
        if name in known and (kind := module.network_class(name)) is not None:
            return module, kind
        names += known
    extras = ",".join(_PACKAGES)
    if not names:
        raise UsageError(
            f"{PREFIX}NAME needs transformers or diffusers ({'; '.join(absent)}): "
            f"pip install 'xconv-bench[{extras}]'"
        )
    near = did_you_mean(name, dict.fromkeys(each for each in names if each != name))
    raise UsageError(
        f"{' and '.join(_PACKAGES)} have no network '{name}'"
        + (near or "; expected a class such as ResNetForImageClassification")
        + (f"; not installed: {', '.join(absent)}" if absent else "")
    )
