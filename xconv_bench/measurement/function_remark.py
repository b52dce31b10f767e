"""Advice where functions of a forward pass, such as ``F.relu``, keep what ``--compress`` leaves."""

from collections.abc import Mapping

from xconv.conversion import FAMILIES
from xconv_bench.configuration import Configuration
from xconv_bench.methods.xconv import families_of

_REACHED = "functions"


def remark_on_functions(functions: Mapping[str, str], configuration: Configuration) -> str:
    """Return how to compress what ``functions`` keep, given their families by their names.

    Return nothing for a method without ``--compress``, nor where it reaches functions already.
    """
    chosen = families_of(configuration.compress)
    if not functions or not chosen or _REACHED in chosen:
        return ""
    *others, last = functions
    names = f"{', '.join(others)} and {last} are" if others else f"{last} is"
    they, what = ("they keep", "functions") if others else ("it keeps", "a function")
    wanted = {*functions.values(), _REACHED} - {*chosen}
    added = ",".join(family for family in FAMILIES if family in wanted)
    return (
        f"{names} called as {what}, so what {they} stays exact: add {added} to --compress, "
        "or take --compress all"
    )
