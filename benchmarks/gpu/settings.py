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
PROBED = ("independent", "multi", "orthogonal")
"""Schemes that have probes; of these only the first is timed layer by layer."""
_COMPILING = "compile-budget"


def compress_sets() -> list[str]:
    """The options of ``--compress``: what the paper compresses, and everything that can be."""
    from xconv.convert import FAMILIES

    everything = ",".join(FAMILIES)
    sets = [USUAL] if set(FAMILIES) == set(USUAL.split(",")) else [USUAL, everything]
    return [word for one in sets for word in ("--compress", one)]


def compresses_everything(compress: str) -> bool:
    """Whether a row's ``compress`` names more than the paper compresses."""
    return set(compress.split(",")) > set(USUAL.split(","))


def schemes() -> list[str]:
    """Options: the first of the probed schemes, and every scheme that has no probes."""
    from xconv.schemes import SCHEMES

    others = [name for name in SCHEMES if name not in PROBED]
    return ["--scheme", ",".join([PROBED[0], *others]), *(_half_a_bit() if others else [])]


def quick_methods() -> str:
    """All methods but the one that compiles, which takes minutes, as ``--method`` has them."""
    from xconv_bench.methods import METHODS

    return ",".join(name for name in METHODS if name != _COMPILING)


def _half_a_bit() -> list[str]:
    """The option that stores half a bit an element, where the command line knows it."""
    from xconv_bench.cli.given import SweepOptions
    from xconv_bench.cli.sweeps import read_sweep
    from xconv_bench.errors import UsageError

    try:
        read_sweep(SweepOptions(bits=["0.5"]), ("cpu",))
    except UsageError:
        return []
    return ["--bits", "0.5"]
