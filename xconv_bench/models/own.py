"""Networks of the user's own: ``package.module:callable`` or ``path/to/file.py:callable``.

The callable takes no arguments and returns a ``torch.nn.Module``. One input has the shape
(channels, size, size), with the channels of the first ``Conv2d`` or three, unless the callable or
its module has a function ``sample_shape`` that maps the image size to another: ::

    def net():
        return torch.nn.Conv3d(1, 8, 3)

    def sample_shape(image_size):
        return 1, 16, image_size, image_size
"""

import functools
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from xconv_bench.errors import UsageError
from xconv_bench.models.base import Architecture
from xconv_bench.models.image_channels import Maker
from xconv_bench.models.messages import did_you_mean, reason
from xconv_bench.objectives.automatic import AutomaticObjective

SUFFIX = ".py"


def find(name: str) -> Architecture:
    """Return the network that the callable makes, trained with ``AutomaticObjective``.

    Raises UsageError, in one line, for whatever is wrong with the name, the module or the callable;
    so does ``build`` for whatever goes wrong in the call.
    """
    module, source, attribute = load(name)
    factory = _factory(module, source, attribute)
    declared = getattr(factory, "sample_shape", getattr(module, "sample_shape", None))
    maker = _maker(factory, name)
    shape = functools.partial(shape_of, declared, name) if declared else maker.sample_shape
    return Architecture(
        name=name,
        family="own",
        make=maker,
        sample_shape=shape,
        objective=AutomaticObjective(),
    )


_makers: dict[str, Maker] = {}
"""Makers by name: a network that is looked up again need not be made to know its images."""


def _maker(factory: Callable[[], Any], name: str) -> Maker:
    if name not in _makers or _makers[name].origin is not factory:
        _makers[name] = Maker(lambda image_size: call(factory, name), origin=factory)
    return _makers[name]


def load(name: str) -> tuple[ModuleType, str, str]:
    """Return the module of ``SOURCE:ATTRIBUTE``, and both parts. Raises UsageError, one line."""
    file = name.removesuffix(":")
    if file.endswith(SUFFIX):
        raise UsageError(f"{file}:CALLABLE is missing{offers(_load_file(Path(file)))}")
    source, _, attribute = name.rpartition(":")
    module = _load_file(Path(source)) if source.endswith(SUFFIX) else _load_module(source)
    return module, source, attribute


def _load_module(source: str) -> ModuleType:
    _import_from(Path.cwd())
    try:
        return importlib.import_module(source)
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"cannot import '{source}': {reason(error)}; give package.module:callable that Python "
            "can import from here, or path/to/file.py:callable"
        ) from error


def _load_file(source: Path) -> ModuleType:
    try:
        path = source.expanduser().resolve()
        is_there = path.is_file()
    except (OSError, RuntimeError) as error:  # no such user, a closed folder, links in a circle
        raise UsageError(
            f"{source} cannot be read: {error}; give path/to/file.py:callable"
        ) from error
    if not is_there:
        raise UsageError(f"there is no file {source}: give path/to/file.py:callable")
    try:
        return _run_file(path)
    except (Exception, SystemExit) as error:
        raise UsageError(f"{source} cannot be imported: {reason(error)}") from error


@functools.cache  # like any module, it is run once, however often it is named
def _run_file(path: Path) -> ModuleType:
    _import_from(path.parent)
    name = f"xconv_bench_own_{path.stem}"  # not the bare stem: the file may be called torch.py
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # as for every .py file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickle look for it
    spec.loader.exec_module(module)
    return module


def _import_from(folder: Path) -> None:
    """Let the user's files import their neighbours, as ``python file.py`` and ``python -m`` do."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _factory(module: ModuleType, source: str, attribute: str) -> Callable[[], Any]:
    factory = getattr(module, attribute, None)
    if factory is None:
        near = did_you_mean(attribute, vars(module))
        raise UsageError(f"{source} has nothing named '{attribute}'{near or offers(module)}")
    if not callable(factory):
        raise UsageError(
            f"{attribute} in {source} is of type {type(factory).__name__}: "
            "name a function or class that returns a torch.nn.Module when called"
        )
    if isinstance(factory, nn.Module):
        raise UsageError(
            f"{attribute} in {source} is a network already: name a function that returns it, "
            "so that every measurement gets a fresh one"
        )
    _check_takes_no_arguments(factory, attribute, source)
    return factory


def offers(module: ModuleType) -> str:
    own = [name for name, value in vars(module).items() if _is_own(value, module)]
    return f"; it defines {', '.join(own)}" if own else "; it defines no function and no class"


def _is_own(value: Any, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _check_takes_no_arguments(factory: Callable[..., Any], attribute: str, source: str) -> None:
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # some callables written in C do not tell
        return
    try:
        signature.bind()
    except TypeError as error:
        raise UsageError(
            f"{attribute}{signature} in {source} cannot be called without arguments ({error}): "
            "name a function that fills them in"
        ) from error


def call(factory: Callable[[], Any], name: str) -> nn.Module:
    """Return the network that ``factory`` makes. Raises UsageError where it makes none."""
    try:
        made = factory()
    except Exception as error:
        raise UsageError(f"{name} failed when called: {reason(error)}") from error
    if not isinstance(made, nn.Module):
        raise UsageError(f"{name} returned a {type(made).__name__}, not a torch.nn.Module")
    return made


def shape_of(declared: Any, name: str, image_size: int) -> tuple[int, ...]:
    """Return what the ``declared`` sample_shape says. Raises UsageError where it is no shape."""
    try:
        shape = tuple(int(side) for side in declared(image_size))
    except Exception as error:
        raise UsageError(f"sample_shape({image_size}) of {name} failed: {reason(error)}") from error
    if not shape or min(shape) < 1:
        raise UsageError(
            f"sample_shape({image_size}) of {name} returned {shape}, not the shape of one input "
            "without the batch, such as (3, 224, 224)"
        )
    return shape
