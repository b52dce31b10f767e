"""Plans, which say module by module how much is kept, and their TOML files.

    functions = ["relu", "pool"]        # families of functions to replace

    [layers."layer1.0.conv1"]
    scheme = "spectral"
    bits = 0.25

    [layers."bn1"]
    norm_bits = 2

    [layers."maxpool"]
    swapped = true                      # families with nothing to choose: pool, dropout, relu

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

from xconv.choices import suggest
from xconv.probing import DIALS, Probing
from xconv.saved.function_table import REACHED
from xconv.saved.linear import rows_probing
from xconv.saved.normalizing import check_norm_bits
from xconv.saved.slopes import check_bits
from xconv.schemes import SCHEMES

_FORMS = {"conv": "scheme", "linear": "scheme", "norm": "norm_bits", "act": "act_bits"}
"""Key that says how a module of a family is swapped; other families have ``swapped``."""
_LAYERS, _FUNCTIONS, _FUNCTION_BITS = "layers", "functions", "function_bits"


@dataclass(frozen=True)
class Setting:
    """The way in which one module is swapped: exactly one of four.

    Args:
        scheme: scheme of a convolution (any) or a linear layer (``"quantized"``).
        probes: dial of the scheme, as in ``xconv.XConv1d``; so are ``bits`` and ``keep``.
        bits: bits per element of the input.
        keep: share of the pixels.
        norm_bits: bits per element of the normalised input of a normalisation: 1, 2, 4 or 8.
        act_bits: bits per slope of an activation: 4 or 8.
        swapped: True for a module of any other family.

    Raises:
        ValueError: for values that ``xconv.convert`` refuses, and unless exactly one of ``scheme``,
            ``norm_bits``, ``act_bits`` and ``swapped`` is given.
        TypeError: for values of the wrong type.

    >>> print(Setting(scheme="spectral", bits=0.25))
    spectral, 0.25 bits an element
    >>> print(Setting(norm_bits=2))
    2 bits
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
            raise ValueError(
                f"unknown scheme {self.scheme!r}; {suggest(self.scheme or '', SCHEMES)}"
            )
        return Probing(self.probes, self.scheme, bits=self.bits, keep=self.keep)

    @property
    def values(self) -> dict[str, Any]:
        """Return the keys and values that differ from their defaults."""
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not f.default}

    def check(self, family: str) -> None:
        """Raise ValueError if a module of ``family`` cannot be swapped by this setting."""
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
    """Settings of modules, by their names in ``model.named_modules()``.

    Args:
        layers: a ``Setting`` for each module that is swapped; all others are exact.
        functions: families whose functions are replaced in forward passes, as ``xconv.convert``
            does for ``"functions"``.
        function_bits: bits per slope of the activations among these functions: 4 or 8.

    Raises:
        ValueError: for an unknown family of functions, or other bits.

    >>> plan = Plan({"conv1": Setting(scheme="spectral", bits=0.25)}, functions=("relu",))
    >>> print(plan.text)
    functions = ["relu"]
    function_bits = 8
    <BLANKLINE>
    [layers."conv1"]
    scheme = "spectral"
    bits = 0.25
    <BLANKLINE>
    >>> Plan.parse(plan.text) == plan
    True
    """

    layers: Mapping[str, Setting] = field(default_factory=dict)
    functions: tuple[str, ...] = ()
    function_bits: int = 8

    def __post_init__(self) -> None:
        unknown = [name for name in self.functions if name not in REACHED]
        if unknown:
            raise ValueError(
                f"functions: {unknown[0]!r} is unknown; {suggest(unknown[0], REACHED)}"
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
        """Write the plan as TOML to the file ``path``.

        Raises:
            OSError: if the file cannot be written.
        """
        Path(path).write_text(self.text, encoding="utf-8")

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Plan:
        """Return the plan in the TOML file ``path``.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if it holds no plan, with the offending key.
        """
        try:
            return cls.parse(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise type(error)(
                f"{path} cannot be read as a plan: {error.strerror}; give a TOML file that "
                "Plan.write or xconv-bench advise wrote"
            ) from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is no plan: it is no text in UTF-8") from error
        except ValueError as error:
            raise ValueError(f"{path} is no plan: {error}") from error

    @classmethod
    def parse(cls, text: str) -> Plan:
        """Return the plan that ``text``, TOML, describes.

        Raises:
            ValueError: if it describes no plan, with the offending key.
        """
        table = tomllib.loads(text)
        _refuse_unknown("", table, (_LAYERS, _FUNCTIONS, _FUNCTION_BITS))
        functions = table.get(_FUNCTIONS, [])
        layers = table.get(_LAYERS, {})
        if not isinstance(functions, list) or not isinstance(layers, dict):
            raise ValueError(
                f"expected {_FUNCTIONS} = [...] and a table [{_LAYERS}.NAME] for each module"
            )
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
        raise ValueError(f"{where}{unknown[0]!r} is unknown; {suggest(unknown[0], known)}")
