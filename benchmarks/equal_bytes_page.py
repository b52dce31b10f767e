"""Tables and picture of docs/spectral.md, made from errors and bytes of each layer."""

import itertools
from collections.abc import Sequence
from math import exp, log
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from benchmarks.page import put

BITS = (0.25, 0.5, 1.0, 2.0)
"""Bits per element of float32 inputs at which schemes are compared."""
SCHEMES = ("spectral", "quantized", "independent")
GOALS = (
    (0.25, "quantized", 1.0, 0.6),
    (0.5, "quantized", 2.0, 1.0),
    (0.5, "independent", None, 1 / 12),
    (1.0, "quantized", 2.0, 0.4),
)
"""Goals for the error of spectral over that of another scheme.

Each has the bits of spectral, the other scheme, its bits (None for as many bytes), and the ratio.
"""
FLOAT_BITS = 32

Curve = list[tuple[float, float]]
"""Bits per element and errors, by rising bits."""


def write_page(page: Path, folder: Path, networks: Sequence[str]) -> None:
    """Renew what is between ``<!-- NAME -->`` and ``<!-- end -->``, and draw the curves.

    Only networks that were measured are included.
    """
    tables = {name: folder / name / "error.csv" for name in networks}
    curves = {name: _curves(pd.read_csv(path)) for name, path in tables.items() if path.exists()}
    text = page.read_text()
    for allot in ("network", "layer"):
        lines = {name: _line(found, allot) for name, found in curves.items()}
        table = pd.DataFrame.from_dict(lines, orient="index").rename_axis("network")
        text = put(text, f"errors {allot}", table)
    goals = pd.DataFrame.from_dict(
        {name: _ratios(found) for name, found in curves.items()}, orient="index"
    )
    page.write_text(put(text, "goals", goals.rename_axis("network")))
    _draw(curves, folder / "error_bytes.png")


def _curves(table: pd.DataFrame) -> dict[tuple[str, str], Curve]:
    """Return errors over all convolutions but the first, by the bits in which inputs are kept."""
    layers = table[(table.layer != "all") & (table.status == "ok")]
    first = layers.layer.iloc[0]
    layers = layers[layers.layer != first]
    whole = layers[layers.method == "exact"].saved_bytes.sum()
    keys = ["scheme", "allot", "probes", "bits"]
    curves: dict[tuple[str, str], Curve] = {}
    for (scheme, allot, *_), rows in layers[layers.method == "xconv"].groupby(keys, dropna=False):
        squared = ((rows.relative_error * rows.gradient_norm) ** 2).sum()
        error = (squared / (rows.gradient_norm**2).sum()) ** 0.5
        point = FLOAT_BITS * rows.saved_bytes.sum() / whole, error
        curves.setdefault((scheme, allot), []).append(point)
    return {key: sorted(points) for key, points in curves.items()}


def at(curve: Curve, bits: float) -> float | None:
    """Return the error at ``bits``, interpolated linearly between neighbours in logarithms.

    Return None further than a twentieth outside of what was measured.
    """
    for (b0, e0), (b1, e1) in itertools.pairwise(curve):
        if b0 / 1.05 <= bits <= b1 * 1.05 and e0 > 0 and e1 > 0:
            part = log(bits / b0) / log(b1 / b0)
            return exp(log(e0) + part * log(e1 / e0))
    return None


def _line(curves: dict[tuple[str, str], Curve], allot: str) -> dict[str, str]:
    return {
        f"{scheme}, {bits:g}": _written(at(curves[scheme, allot], bits))
        for scheme in SCHEMES
        for bits in BITS
        if scheme != "quantized" or bits > 1
    }


def _ratios(curves: dict[tuple[str, str], Curve]) -> dict[str, str]:
    """Return the errors of spectral, divided over the network, over those of the other schemes.

    The others keep the same bits in each layer.
    """
    found = {}
    for bits, other, theirs, goal in GOALS:
        spectral = at(curves["spectral", "network"], bits)
        if theirs is None:
            name, error = f"{other}, same bytes", at(curves[other, "layer"], bits)
        else:
            name = f"{other} {theirs:g} bit{'s' * (theirs != 1)}"
            # Its bounds take a quarter of a bit more.
            error = at(curves[other, "layer"], theirs + 0.25)
        ratio = spectral / error if spectral and error else None
        found[f"{bits:g} bit over {name} (goal {goal:.2g})"] = _written(ratio)
    return found


def _written(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _draw(curves: dict[str, dict[tuple[str, str], Curve]], path: Path) -> None:
    figure, axes = plt.subplots(1, len(curves), figsize=(3.2 * len(curves), 3.4), sharey=True)
    for axis, (name, found) in zip(axes, curves.items(), strict=True):
        for number, scheme in enumerate(SCHEMES):
            for allot, style in (("network", "-"), ("layer", "--")):
                points = [(b, e) for b, e in found[scheme, allot] if e > 0]
                bits, errors = zip(*points, strict=True)
                axis.loglog(
                    bits, errors, style, color=f"C{number}", marker="o", markersize=3,
                    label=f"{scheme}, by {allot}",
                )  # fmt: skip
        axis.set(title=name, xlabel="bits an element")
        axis.axhline(1, color="grey", linewidth=0.5)
    axes[0].set_ylabel("relative error of the weight gradient")
    axes[-1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
