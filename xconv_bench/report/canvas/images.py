"""Show images side by side, each with its title."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report.canvas.frame import WIDTH_INCHES, headed, panels_in

if TYPE_CHECKING:
    from xconv_bench.report.canvas.picture import Picture

_MOST_ABREAST = 4
_TITLE_INCHES = 0.36
_TITLE_CHARACTERS = 24
_TITLE_SIZE = 8


@dataclass(frozen=True)
class Images:
    """Describe a picture of image files, all of one size, each with its title."""

    title: str
    images: Sequence[tuple[str, Path]]

    def draw(self) -> Picture:
        import matplotlib.image

        images = [matplotlib.image.imread(path) for _, path in self.images]
        height, width = images[0].shape[:2]
        # Wide images, several samples side by side, stand below each other.
        most = max(1, min(_MOST_ABREAST, round(_MOST_ABREAST * height / width)))
        abreast = min(len(images), most)
        lines = ceil(len(images) / abreast)
        inches = WIDTH_INCHES / abreast * height / width + _TITLE_INCHES
        picture = headed(self.title, "", lines * inches + _TITLE_INCHES)
        panels = panels_in(picture, len(images), abreast, shares_heights=False)
        for axes, (title, _), image in zip(panels, self.images, images, strict=True):
            axes.axis("off")
            axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(textwrap.fill(title, _TITLE_CHARACTERS), fontsize=_TITLE_SIZE)
        return picture
