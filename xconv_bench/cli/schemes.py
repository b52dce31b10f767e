"""Choose the schemes of a sweep, and refuse values of dials that no scheme in it takes.

The dial of a scheme is the knob that says how much the scheme keeps, such as ``--probes``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from xconv_bench.errors import UsageError

_CHOOSING = frozenset({"probes", "bits"})
"""Dials that choose among the default schemes."""


def read_schemes(
    asked: Collection[str], schemes: tuple[str, ...], recommended: str | None
) -> tuple[str, ...]:
    """Return the schemes that ``xconv`` sweeps; ``asked`` names the options that the user gave.

    Without ``--scheme``, return those of the default ``schemes`` whose dial was given, and the
    ``recommended`` one beside ``--probes``; all of them where no dial was given.
    """
    from xconv.schemes import SCHEMES

    if "scheme" in asked:
        return schemes
    dials = _CHOOSING & set(asked)
    some = [
        name
        for name in schemes
        if SCHEMES[name].dial in dials or (name == recommended and dials == {"probes"})
    ]
    return tuple(some) or schemes


def check_dials(
    asked: Collection[str], methods: Sequence[str], knobs: Mapping[str, tuple[Any, ...]]
) -> None:
    """Raise UsageError for a dial that was given and that no scheme of the sweep has.

    Raise it, too, for a value that none of the schemes takes, and where a scheme takes none of the
    values.
    """
    from xconv.probing import DIALS
    from xconv.schemes import SCHEMES

    parts = _parts(methods)
    swept = _swept(parts, knobs["scheme"])
    for dial in (dial for dial in DIALS if dial in asked):
        takers = [name for name in swept if SCHEMES[name].dial == dial]
        if not takers and "scheme" in asked and "xconv" in parts:
            named = knobs["scheme"]
            words = ", ".join(_takes(name) for name in named)
            raise UsageError(f"--{dial} is no option of --scheme {','.join(named)}: {words}")
        takers = takers or [name for name, scheme in SCHEMES.items() if scheme.dial == dial]
        _check_values(dial, takers, knobs[dial])


def _check_values(dial: str, takers: Sequence[str], values: Sequence[Any]) -> None:
    from xconv_bench.methods.xconv import can_be

    for value in values:
        if not any(can_be(name, value) for name in takers):
            raise UsageError(f"--{dial} {value:g}: {_allowed(takers)}")
    for name in takers:
        if not any(can_be(name, value) for value in values):
            raise UsageError(f"--{dial} {values[0]:g}: {_allowed([name])}")


def _swept(parts: Iterable[str], schemes: Sequence[str]) -> list[str]:
    """Return the schemes in a sweep, those of methods with a scheme of their own included."""
    from xconv_bench.methods import find_method
    from xconv_bench.methods.xconv import Converted

    found: list[str] = []
    for method in map(find_method, sorted(parts)):
        if isinstance(method, Converted):
            found += schemes if method.scheme is None else [method.scheme]
    return list(dict.fromkeys(found))


def _parts(methods: Sequence[str]) -> set[str]:
    """Return the methods that were named, alone or composed with others."""
    from xconv_bench.configuration import JOINT

    return {part for name in methods for part in name.split(JOINT)}


def _takes(scheme: str) -> str:
    """Return ``spectral takes --bits (above 0, up to 8)``."""
    from xconv.schemes import SCHEMES

    return f"{scheme} takes --{SCHEMES[scheme].dial} ({SCHEMES[scheme].allowed})"


def _allowed(schemes: Sequence[str]) -> str:
    from xconv.schemes import SCHEMES

    return ", ".join(f"{name} takes {SCHEMES[name].allowed}" for name in schemes)
