"""Fix how pictures look: a method or scheme has one colour in all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shades:
    """Hold one hue twice: ``dark`` for a part, ``light`` for the whole that it lies in."""

    dark: str
    light: str


Dashes = str | tuple[float, tuple[float, ...]]


@dataclass(frozen=True)
class Stroke:
    """Show a line and its points: told apart by colour, and in grey by the shape of the points."""

    colour: str
    marker: str
    dashes: Dashes = "-"


@dataclass(frozen=True)
class Look:
    """Show a line by its stroke, and name it in the legend.

    ``line`` holds what matplotlib is told besides, such as a width.
    """

    label: str
    stroke: Stroke
    line: Mapping[str, Any] = field(default_factory=dict)

    @property
    def colour(self) -> str:
        return self.stroke.colour

    def told(self) -> dict[str, Any]:
        """Return the arguments of matplotlib's functions that draw the line."""
        stroke = self.stroke
        told = {"color": stroke.colour, "marker": stroke.marker, "linestyle": stroke.dashes}
        return {**told, **self.line}


def look(colour: str, marker: str = "", dashes: Dashes = "-", label: str = "", **line: Any) -> Look:
    """Return a look by its parts."""
    return Look(label, Stroke(colour, marker, dashes), line)


# Hues of Okabe and Ito, and of Tol, told apart by colour-blind readers, and by their points.
_LOOKS = {
    "exact": ("#5f5f5f", "*"),
    "xconv": ("#0072b2", "o"),
    "independent": ("#0072b2", "o"),
    "multi": ("#d55e00", "s"),
    "orthogonal": ("#009e73", "^"),
    "checkpoint": ("#c07a00", "P"),
    "spectral": ("#5f8fc9", "v"),
    "rad-sampling": ("#3f4a6b", "<"),
    "sampling": ("#3f4a6b", "<"),
    "quantized": ("#aa3377", "X"),
    "invertible": ("#6f4e9c", "h"),
    "offload": ("#77752c", "d"),
    "compile-budget": ("#b5a11a", "p"),
    "saved-tensors": ("#d0609a", "D"),
    "dual-precision": ("#1b8a8f", "s"),
    "low-rank": ("#8a5a3c", "^"),
    "gradient-filter": ("#6b8e23", "v"),
    "xconv+checkpoint": ("#8c2d04", ">"),
}
"""Colours and points of methods, and of the schemes of xconv."""
_OTHER = ("#a3527f", "D")
_LIGHTNESS = 0.55
_VARIANTS: tuple[Dashes, ...] = (
    "-",
    (0, (4, 1.5)),
    (0, (1, 1.2)),
    (0, (6, 1.5, 1, 1.5)),
    (0, (3, 1.2, 1, 1.2, 1, 1.2)),
)


NEUTRAL = Shades(dark="#4d4d4d", light="#d9d9d9")
"""The two shades where no method is meant."""

INK = "#222222"
FAINT = "#767676"
FAILURE = "#b03a00"

EXACT = Stroke(_LOOKS["exact"][0], "", (0, (5, 3)))
"""The line of what is exact, or as exact as it can be."""

MARKERS = "osD^vP*X"

DOTS_PER_INCH = 200
NOTE_SIZE = 7.5

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
    "axes.titlesize": 9.5,
    "figure.titlesize": 10,
    "figure.labelsize": NOTE_SIZE,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.08,
    "legend.frameon": False,
    "legend.borderaxespad": 0.2,
    "legend.borderpad": 0.2,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
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
    """Return the shades of a method by name, in every picture the same."""
    colour, _ = _LOOKS.get(method, _OTHER)
    parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    light = [round(part + (255 - part) * _LIGHTNESS) for part in parts]
    return Shades(dark=colour, light="#" + "".join(f"{part:02x}" for part in light))


def stroke(name: str, variant: int = 0) -> Stroke:
    """Return the line of a method or scheme, in every picture the same.

    Its variants differ in dashes, from the sixth on also in their shade.
    """
    _, marker = _LOOKS.get(name, _OTHER)
    shade, dashes = divmod(variant, len(_VARIANTS))
    colours = shades(name)
    return Stroke(colours.light if shade % 2 else colours.dark, marker, _VARIANTS[dashes])


def graded(words: Mapping[str, str], **line: Any) -> dict[str, Look]:
    """Return looks of things that have an order, such as layers by depth: from dark to light.

    ``words`` says what the legend calls them.
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    last = max(1, len(words) - 1)
    return {
        name: look(
            to_hex(colormaps["viridis"](0.85 * place / last)),
            MARKERS[place % len(MARKERS)],
            label=label,
            **line,
        )
        for place, (name, label) in enumerate(words.items())
    }
