"""What is compared, read from the packages at run time: what is new there appears here."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""

PRECISIONS: dict[str, tuple[list[str], dict[str, str]]] = {
    "float32": (["--dtype", "float32"], {"NVIDIA_TF32_OVERRIDE": "0"}),
    "tf32": (["--dtype", "float32"], {}),
    "bfloat16": (["--dtype", "bfloat16"], {}),
}
"""How a layer is timed: options, and what NVIDIA's libraries read. TF32 is torch's default."""

PROBES = "8,32,128"
JUDGED_PROBES = 32
USUAL = "conv,relu"
TIMED = ("independent", "spectral")
"""Schemes that are timed layer by layer: of those with probes the paper's, of the others ours."""
_COMPILING = "compile-budget"


def compress_sets() -> list[str]:
    """The options of ``--compress``: what the paper compresses, and everything that can be."""
    from xconv.conversion import FAMILIES

    everything = ",".join(FAMILIES)
    sets = [USUAL] if set(FAMILIES) == set(USUAL.split(",")) else [USUAL, everything]
    return [word for one in sets for word in ("--compress", one)]


def compresses_everything(compress: str) -> bool:
    """Whether a row's ``compress`` names more than the paper compresses."""
    return set(compress.split(",")) > set(USUAL.split(","))


def schemes() -> list[str]:
    """Options: the schemes that are timed, each with its default but for probes."""
    return ["--scheme", ",".join(TIMED)]


def quick_methods() -> str:
    """All methods but the one that compiles, which takes minutes, as ``--method`` has them."""
    from xconv_bench.methods import METHODS

    return ",".join(name for name in METHODS if name != _COMPILING)
