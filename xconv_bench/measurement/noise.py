"""Advice on a gradient of our layer that is more noise than gradient."""

from __future__ import annotations

from xconv.schemes import SCHEMES
from xconv_bench.configuration import Configuration
from xconv_bench.knobs import KNOBS

_TIMES_AS_MUCH = 4
_MOST = {"bits": 8, "keep": 1}
"""Largest value of a dial; probes have none."""
_ADVISE = "xconv-bench advise"


def remark_on_noise(error: float | None, floor: float | None, configuration: Configuration) -> str:
    """Return what to do about a relative ``error`` above 1; nothing for methods of others.

    Nor is anything said where ``floor``, the error of the exact gradient, is as large.
    """
    is_ours = configuration.plan is not None or configuration.scheme is not None
    if not is_ours or error is None or not error > 1 or (floor or 0) >= 1:
        return ""
    return f"gradient error above 1: more noise than gradient; {_remedy(configuration)}"


def _remedy(configuration: Configuration) -> str:
    if configuration.scheme is None:
        return f"let {_ADVISE} work out a plan with more memory"
    dial = SCHEMES[configuration.scheme].dial
    value = getattr(configuration, dial)
    more = min(_TIMES_AS_MUCH * value, _MOST.get(dial, float("inf")))
    tried = f"{KNOBS[dial].option} {more:g}"
    if dial == "probes":
        return f"try more probes, {tried}, or --scheme spectral"
    if more == value:
        return f"see what {_ADVISE} makes of the same memory"
    if dial == "bits":
        return f"more bits cost little where maps are small: try {tried}, or {_ADVISE}"
    return f"try to keep more, {tried}, or --scheme spectral"
