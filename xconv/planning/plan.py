"""A plan says module by module how much is kept; it is written as a small TOML file.

    functions = ["relu", "pool"]        # calls of functions that are reached, and exact

    [layers."layer1.0.conv1"]
    scheme = "spectral"
    bits = 0.25

    [layers."bn1"]
    norm_bits = 2

    [layers."maxpool"]
    swapped = true                      # nothing to choose: positions, masks, bits of a ReLU

Modules that a plan does not name are exact.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any

from xconv.probing import DIALS, Probing
from xconv.saved.function_table import REACHED
from xconv.saved.linear import rows_probing
from xconv.saved.normalizing import check_norm_bits
from xconv.saved.slopes import check_bits
from xconv.schemes import SCHEMES

_FORMS = {"conv": "scheme", "linear": "scheme", "norm": "norm_bits", "act": "act_bits"}
"""The key that says how a module of a family is swapped; that of all others is ``swapped``."""
_LAYERS, _FUNCTIONS, _FUNCTION_BITS = "layers", "functions", "function_bits"


@dataclass(frozen=True)
class Setting:
    """How one module is swapped.

    ``scheme`` with the dial that it has, of a convolution or a linear layer; ``norm_bits`` of a
    normalisation; ``act_bits`` of an activation; ``swapped`` of any other. Raises ValueError or
    TypeError for values that ``convert`` does not take, and for none or several of the four.
    """

    scheme: str | None = None
    probes: int | None = None
    bits: float | None = None
    keep: float | None = None
    norm_bits: int | None = None
    act_bits: int | None = None
    swapped: bool = False

    def __post_init__(self) -> None:
        if self.swapped not in (True, False):
            raise ValueError(f"swapped must be true; got {self.swapped!r}")
        given = [key for key in ("scheme", "norm_bits", "act_bits") if self._has(key)]
        given += ["swapped"] * self.swapped
        if len(given) != 1:
            raise ValueError(
                "expected one of scheme, norm_bits, act_bits and swapped = true; got "
                f"{' and '.join(given) or 'none'}"
            )
        strange = [dial for dial in DIALS if self._has(dial)]
        if self.scheme is None and strange:
            raise ValueError(f"{strange[0]} belongs to a scheme; got {given[0]}")
        if self.scheme is not None:
            _ = self.probing
        if self.norm_bits is not None:
            check_norm_bits(self.norm_bits)
        if self.act_bits is not None:
            check_bits(self.act_bits)

    @property
    def probing(self) -> Probing:
        """Return how the input of a convolution is kept."""
        if not isinstance(self.scheme, str) or self.scheme not in SCHEMES:
            raise ValueError(f"unknown scheme {self.scheme!r}; choose from {', '.join(SCHEMES)}")
        return Probing(self.probes, self.scheme, bits=self.bits, keep=self.keep)

    @property
    def values(self) -> dict[str, Any]:
        """Return what the setting says, key by key, without what it does not say."""
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not f.default}

    def check(self, family: str) -> None:
        """Raise ValueError where a module of ``family`` is not swapped by such a setting."""
        expected = _FORMS.get(family, "swapped")
        if not self.values.get(expected):
            raise ValueError(
                f"a module of the family {family!r} takes {expected}; got {next(iter(self.values))}"
            )
        if family == "linear" and rows_probing(self.probing) != self.probing:
            raise ValueError(f"a linear layer takes scheme 'quantized'; got {self.scheme!r}")

    def __str__(self) -> str:
        if self.scheme is not None:
            return SCHEMES[self.scheme].describe(self.probing)
        bits = self.norm_bits or self.act_bits
        return f"{bits} bit{'s' * (bits != 1)}" if bits else "swapped"

    def _has(self, key: str) -> bool:
        return getattr(self, key) is not None


@dataclass(frozen=True)
class Plan:
    """Settings of ``layers`` by the names of modules, as in ``model.named_modules()``.

    ``functions`` are the families whose functions are reached in forward passes, as ``convert``
    does with ``"functions"``; slopes of activations among them take ``function_bits``.
    """

    layers: Mapping[str, Setting] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    function_bits: int = 8

    def __post_init__(self) -> None:
        unknown = [name for name in self.functions if name not in REACHED]
        if unknown:
            raise ValueError(
                f"functions: {unknown[0]!r} is unknown; choose from {', '.join(REACHED)}"
            )
        check_bits(self.function_bits)

    @property
    def text(self) -> str:
        """Return the plan as TOML."""
        lines = [f"{_FUNCTIONS} = {json.dumps(list(self.functions))}"]
        if self.functions:
            lines.append(f"{_FUNCTION_BITS} = {self.function_bits}")
        for name, setting in self.layers.items():
            lines += ["", f"[{_LAYERS}.{json.dumps(name)}]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in setting.values.items()]
        return "\n".join(lines) + "\n"

    def write(self, path: str | PathLike[str]) -> None:
        """Write the plan to a TOML file."""
        Path(path).write_text(self.text, encoding="utf-8")

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Plan:
        """Return the plan that ``write`` wrote to ``path``.

        Raises OSError for a file that cannot be read, ValueError with the offending key for one
        that holds no plan.
        """
        try:
            return cls.parse(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no plan: {error}") from error

    @classmethod
    def parse(cls, text: str) -> Plan:
        """Return the plan that ``text``, TOML, says. Raises ValueError with the offending key."""
        table = tomllib.loads(text)
        _refuse_unknown("", table, (_LAYERS, _FUNCTIONS, _FUNCTION_BITS))
        functions = table.get(_FUNCTIONS, [])
        layers = table.get(_LAYERS, {})
        if not isinstance(functions, list) or not isinstance(layers, dict):
            raise ValueError(f"expected a list of {_FUNCTIONS} and a table [{_LAYERS}.NAME] each")
        return cls(
            {name: _setting(name, values) for name, values in layers.items()},
            tuple(functions),
            table.get(_FUNCTION_BITS, cls.function_bits),
        )


def _setting(name: str, values: Any) -> Setting:
    where = f"{_LAYERS}.{json.dumps(name)}"
    if not isinstance(values, dict):
        raise ValueError(f"{where}: expected keys such as bits = 0.5; got {values!r}")
    _refuse_unknown(f"{where}: ", values, [f.name for f in fields(Setting)])
    try:
        return Setting(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _refuse_unknown(where: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        raise ValueError(f"{where}{unknown[0]!r} is unknown; choose from {', '.join(known)}")
