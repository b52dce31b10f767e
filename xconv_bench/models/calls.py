"""Names with arguments, as Python writes a call: ``UNet(channels=[16, 32], strides=[2])``."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xconv_bench.errors import UsageError
from xconv_bench.models.messages import did_you_mean


@dataclass(frozen=True)
class Call:
    """The ``name`` of something to call, and its ``arguments`` by their names."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def read_call(text: str, prefix: str) -> Call:
    """Read ``NAME`` or ``NAME(argument=value, ...)``, whose values are literals of Python.

    Raises UsageError, which shows ``prefix`` before the text, for anything else.
    """
    name, parenthesis, rest = text.partition("(")
    if not parenthesis:
        return Call(name)
    form = f"expected {prefix}NAME(argument=value, ...) with numbers, strings, lists and the like"
    try:
        call = ast.parse(f"call({rest.strip()}", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"'{prefix}{text}' cannot be read ({_words(error)}): {form}") from error
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise UsageError(f"'{prefix}{text}' is no single call: {form}")
    if call.args:
        given = ast.unparse(call.args[0])
        raise UsageError(f"'{prefix}{text}' gives {given} without the name of an argument: {form}")
    arguments = {}
    for each in call.keywords:
        if each.arg is None:
            raise UsageError(f"'{prefix}{text}' has **: {form}")
        try:
            arguments[each.arg] = ast.literal_eval(each.value)
        except (ValueError, TypeError, SyntaxError) as error:
            value = ast.unparse(each.value)
            raise UsageError(
                f"'{prefix}{text}': {each.arg}={value} is no literal: {form}"
            ) from error
    return Call(name.strip(), arguments)


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function, or of a class, that may be given by name."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = inspect.signature(function).parameters
    return {name: each for name, each in found.items() if each.kind in kinds}


def check_arguments(
    described: str, parameters: Mapping[str, inspect.Parameter], arguments: Mapping[str, Any]
) -> None:
    """Raise UsageError for an argument that does not exist, and for those that are missing."""
    for name in arguments:
        if name not in parameters:
            near = did_you_mean(name, parameters)
            raise UsageError(
                f"{described} has no argument '{name}'{near or '; it has ' + ', '.join(parameters)}"
            )
    missing = [
        name
        for name, each in parameters.items()
        if each.default is each.empty and name not in arguments
    ]
    if missing:
        raise UsageError(
            f"{described} needs {' and '.join(missing)}: "
            f"give {'it' if len(missing) == 1 else 'them'} as NAME({missing[0]}=...)"
        )


def in_order(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Return arguments as a tuple where they are the first of a method, in its order; else as is.

    ``function`` has ``self`` before them.
    """
    first = list(inspect.signature(function).parameters)[1 : len(arguments) + 1]
    return tuple(arguments[name] for name in first) if first == list(arguments) else arguments


def _words(error: BaseException) -> str:
    return str(getattr(error, "msg", error)) or type(error).__name__
