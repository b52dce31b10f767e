"""Schemes and their bits: which of them are meant, and which pairs make no sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xconv_bench.cli import parsing
from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    from xconv_bench.cli.given import SweepOptions

_ALLOWED = {
    "probes": "a whole number, 0 or more",
    "keep": "above 0, up to 1",
}
_ALLOWED_BITS = {"spectral": "above 0, up to 8", "quantized": "1, 2, 4 or 8"}


def read_schemes(
    given: SweepOptions, methods: Sequence[str], recommended: str | None
) -> tuple[str, ...]:
    """Return the schemes that ``xconv`` sweeps.

    Without ``--scheme``, those of the command's default that have a dial which was given, all where
    none was. Raises UsageError for an unknown scheme, and for a dial that nothing in the sweep has.
    """
    from xconv.schemes import SCHEMES

    schemes = parsing.names("--scheme", given.scheme, SCHEMES)
    if "scheme" not in given.asked:
        asked = given.asked & {"probes", "bits"}
        some = [
            name
            for name in schemes
            if SCHEMES[name].dial in asked or (name == recommended and asked == {"probes"})
        ]
        return tuple(some) or schemes
    if "xconv" in _parts(methods):
        _refuse_strangers(given, methods, schemes)
    return schemes


def read_bits(
    given: SweepOptions, methods: Sequence[str], schemes: Sequence[str]
) -> tuple[float | None, ...]:
    """Return bits an element; None, which stands for each scheme's default, where none were given.

    Raises UsageError for a number that nothing in the sweep can have, and where something in it
    can have none of the numbers.
    """
    from xconv.schemes import SCHEMES
    from xconv_bench.methods.xconv import can_be

    if given.bits is None:
        return (None,)
    numbers = parsing.numbers("--bits", given.bits)
    if "bits" not in given.asked:
        return numbers
    swept = _swept(methods, schemes)
    takers = [scheme for scheme in swept.values() if SCHEMES[scheme].dial == "bits"]
    takers = takers or list(_ALLOWED_BITS)
    strange = [each for each in numbers if not any(can_be(name, each) for name in takers)]
    if strange:
        raise UsageError(f"--bits {strange[0]:g}: {_and(takers)}")
    for name in takers:
        if not any(can_be(name, each) for each in numbers):
            raise UsageError(f"--bits {numbers[0]:g}: {_and([name])}")
    return numbers


def _refuse_strangers(given: SweepOptions, methods: Sequence[str], schemes: Sequence[str]) -> None:
    """UsageError for a dial that was given and that no scheme has."""
    from xconv.schemes import SCHEMES

    dials = {SCHEMES[scheme].dial for scheme in _swept(methods, schemes).values()}
    for dial in ("probes", "bits", "keep"):
        if dial in given.asked and dial not in dials:
            named = dict.fromkeys(schemes)
            words = ", ".join(_takes(name) for name in named)
            raise UsageError(f"--{dial} is no option of --scheme {','.join(named)}: {words}")


def _swept(methods: Sequence[str], schemes: Sequence[str]) -> Mapping[str, str]:
    """The schemes in a sweep, by what they are called there."""
    from xconv_bench.methods import METHODS
    from xconv_bench.methods.xconv import Converted

    parts = _parts(methods)
    found = {scheme: scheme for scheme in schemes if "xconv" in parts}
    for name in sorted(parts):
        method = METHODS[name]
        if isinstance(method, Converted) and method.scheme is not None:
            found[name] = method.scheme
    return found


def _parts(methods: Sequence[str]) -> set[str]:
    """The methods that were named, also those that were named together."""
    from xconv_bench.methods import JOINT

    return {part for name in methods for part in name.split(JOINT)}


def _takes(scheme: str) -> str:
    """``spectral takes --bits (above 0, up to 8)``"""
    from xconv.schemes import SCHEMES

    dial = SCHEMES[scheme].dial
    return f"{scheme} takes --{dial} ({_ALLOWED_BITS.get(scheme) or _ALLOWED[dial]})"


def _and(schemes: Sequence[str]) -> str:
    return ", ".join(f"{name} takes {_ALLOWED_BITS[name]}" for name in dict.fromkeys(schemes))
