"""Arguments of functions, made from the options of commands, and the words that they stand for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from xconv_bench.cli.measuring import MEASURING, parsers
from xconv_bench.errors import UsageError
from xconv_bench.results.schema import COLUMNS

_NOT_HERE = frozenset({"context", "help"})
_MODEL = " Here also a torch.nn.Module, or a function that returns one."
FUNCTIONS = ("inputs", "loss")
"""Arguments that may be functions."""
_FUNCTION = " Here also a function."
_OUTPUT = "Run directory to write; an existing one is resumed. Default: nothing is kept."
_VALUE = r"'[^']*'|\d+(?:\.\d+)?|cpu|cuda(?::\w+)?|simulated|local|ray|FILE\.py:callable"


@dataclass(frozen=True)
class Argument:
    """An argument, and the option that it is on the command line; ``off`` is ``--no-...``."""

    name: str
    option: str
    off: str | None
    kind: type
    has_several: bool
    is_required: bool
    default: Any
    help: str

    @property
    def parameter(self) -> inspect.Parameter:
        """Return it as a part of a signature; a model may stand without its name."""
        kind: Any = self.kind
        if self.name in ("model", *FUNCTIONS):
            kind = str | Callable[..., Any]
        if self.has_several:
            kind = kind | Sequence[kind]
        default = inspect.Parameter.empty if self.is_required else self.default
        place = (
            inspect.Parameter.POSITIONAL_OR_KEYWORD
            if self.name == "model"
            else inspect.Parameter.KEYWORD_ONLY
        )
        if default is None:
            kind = kind | None
        return inspect.Parameter(self.name, place, default=default, annotation=kind)

    def words(self, value: Any) -> list[str]:
        """Return the words of a value on the command line. Raises UsageError for a wrong one."""
        if value is None:
            return []
        if self.kind is bool:
            if not isinstance(value, bool):
                raise UsageError(f"{self.name}={value!r}: expected True or False")
            return [self.option] if value else [self.off] if self.off else []
        values = several(value)
        if not values or (len(values) > 1 and not self.has_several):
            count = "at least one value" if self.has_several else "one value"
            raise UsageError(f"{self.name}={value!r}: expected {count}")
        return [
            f"{self.option}={each.item() if hasattr(each, 'item') else each}" for each in values
        ]


def several(value: Any) -> list[Any]:
    """Return the values of a list or its like; a single value alone."""
    if isinstance(value, str | bytes | Path) or callable(value) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def arguments_of(command: str) -> list[Argument]:
    """Return the arguments of a command's function, the model first."""
    declared = inspect.signature(MEASURING[command]).parameters
    found = [
        _argument(option, get_args(declared[option.name].annotation)[0])
        for option in parsers()[command].params
        if option.name not in _NOT_HERE
    ]
    return sorted(found, key=lambda each: each.name != "model")


def _argument(option: Any, annotation: Any) -> Argument:
    name = option.opts[0].removeprefix("--").replace("-", "_")
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)] or [annotation]
    kind = kinds[0] if isinstance(kinds[0], type) and not option.multiple else str
    if option.multiple and name in COLUMNS:
        kind = COLUMNS[name].kind
    words = option.show_default if isinstance(option.show_default, str) else None
    help = option.help + (_MODEL if name == "model" else "")
    if name in FUNCTIONS:
        help += _FUNCTION
    if name == "output":
        help = _OUTPUT
    elif option.default is None and words:
        help = f"{help} Default: {words}."
    return Argument(
        name=name,
        option=option.opts[0],
        off=next(iter(option.secondary_opts), None),
        kind=kind,
        has_several=option.multiple,
        is_required=option.required,
        default=_default(option.default, kind) if option.multiple else option.default,
        help=pythonic(help),
    )


def _default(words: Sequence[str] | None, kind: type) -> Any:
    """Return a default as one would write it: a number, a list of numbers, a word."""
    if words is None:
        return None
    values: list[Any] = list(words)
    if kind is not str:
        values = [kind(each) for word in words for each in word.split(",")]
    return values[0] if len(values) == 1 else tuple(values)


def pythonic(text: str, known: Mapping[str, Argument] | None = None) -> str:
    """Return a text of the command line with its options as Python spells them.

    ``known`` holds the arguments by their options: what switches something on is ``=True``.
    """

    def spelt(match: re.Match[str]) -> str:
        option, value = match["option"], match["value"]
        name = option.removeprefix("--").replace("-", "_")
        argument = (known or {}).get(option)
        if argument is not None and argument.kind is bool:
            return f"{argument.name}={option != argument.off}" + (f" {value}" if value else "")
        if value and not value[0].isdigit() and value[0] != "'":
            value = f"'{value}'"
        return f"{name}={value or ''}"

    pattern = rf"(?P<quote>'?)(?P<option>--[a-z][a-z-]*)(?P=quote)(?: (?P<value>{_VALUE})(?!\w))?"
    return re.sub(pattern, spelt, text)
