"""The methods and schemes to compare, read from the packages, so that new ones are included."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""

PRECISIONS: dict[str, tuple[list[str], dict[str, str]]] = {
    "float32": (["--dtype", "float32"], {"NVIDIA_TF32_OVERRIDE": "0"}),
    "tf32": (["--dtype", "float32"], {}),
    "bfloat16": (["--dtype", "bfloat16"], {}),
}
"""Options and variables of NVIDIA's libraries for each precision in which layers are timed.

TF32 is torch's default.
"""

PROBES = "8,32,128"
JUDGED_PROBES = 32
USUAL = "conv,relu"
TIMED = ("independent", "spectral")
"""Schemes that are timed layer by layer: the paper's with probes, ours without."""
_LEFT_OUT = ("compile-budget", "saved-tensors", "dual-precision", "low-rank", "gradient-filter")
"""The one that compiles for minutes, and those that have no place yet in half an hour of a GPU."""


def compress_sets() -> list[str]:
    """Return the options of ``--compress``: what the paper compresses, and everything."""
    from xconv.conversion import FAMILIES

    everything = ",".join(FAMILIES)
    sets = [USUAL] if set(FAMILIES) == set(USUAL.split(",")) else [USUAL, everything]
    return [word for one in sets for word in ("--compress", one)]


def compresses_everything(compress: str) -> bool:
    """Return whether ``compress`` names more than the paper compresses."""
    return set(compress.split(",")) > set(USUAL.split(","))


def schemes() -> list[str]:
    """Return the options of the schemes that are timed, each with its default except for probes."""
    return ["--scheme", ",".join(TIMED)]


def quick_methods() -> str:
    """Return all methods as ``--method`` takes them, without those that are left out."""
    from xconv_bench.methods import METHODS

    return ",".join(name for name in METHODS if name not in _LEFT_OUT)
