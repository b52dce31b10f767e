"""How pictures look: one colour for a method in all of them, and settings that do not vary."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shades:
    """One hue twice: ``dark`` for a part, ``light`` for the whole that it lies in."""

    dark: str
    light: str


# Hues of Okabe and Ito, told apart by colour-blind readers; light and dark differ in print too.
_METHODS = {
    "exact": Shades(dark="#5f5f5f", light="#c4c4c4"),
    "xconv": Shades(dark="#0072b2", light="#8fc4e3"),
    "checkpoint": Shades(dark="#c07a00", light="#f4d08a"),
    "rad": Shades(dark="#007a58", light="#8fd3bd"),
}
_OTHER = Shades(dark="#a3527f", light="#e3b9d0")

NEUTRAL = Shades(dark="#4d4d4d", light="#d9d9d9")
"""The two shades where no method is meant."""

INK = "#222222"
FAINT = "#767676"
FAILURE = "#b03a00"

DOTS_PER_INCH = 200

# matplotlib types every key for itself.
SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that widths are the same everywhere
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a model's name may hold a dollar sign
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "figure.titlesize": 10,
    "figure.labelsize": 7.5,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.08,
    "legend.frameon": False,
    "legend.borderaxespad": 0.2,
    "legend.borderpad": 0.2,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "ytick.major.size": 0,
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "xconv-bench",  # the same picture is the same file
}


def shades(method: str) -> Shades:
    """The shades of a method by name, in every picture the same."""
    return _METHODS.get(method, _OTHER)
