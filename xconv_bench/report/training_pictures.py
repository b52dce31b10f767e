"""What trained networks make, side by side: what was given, the truth, exact, and the others."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xconv_bench.naming import training_name
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.summary import Row
from xconv_bench.report.training_words import Trained, name_of, picture_names, trained_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

REFERENCES = ("input", "truth")
_WIDTH_INCHES = 8.0
_MOST_ABREAST = 4
_TITLE_INCHES = 0.36
_TITLE_CHARACTERS = 24


def draw_training_pictures(rows: Sequence[Row], made: Path, folder: Path) -> list[Path]:
    """Draw ``made_TASK`` (PNG, SVG) for each setting whose task makes pictures, of its first seed.

    ``made`` is where trainings have left what they make. Raises BenchError where a file cannot be
    written.
    """
    paths = []
    settings = trained_in(rows)
    with fixed_settings():
        for name, methods in zip(picture_names(settings), settings.values(), strict=True):
            panels = _panels(_of_one_seed(methods), made)
            if panels:
                paths += save(
                    _draw(str(methods[0].rows[0]["task"]), panels), folder, f"made_{name}"
                )
    return paths


def _of_one_seed(methods: Sequence[Trained]) -> list[Row]:
    """How each method ended from the first seed that any ended from."""
    seed = next((seed for method in methods for seed in method.finals), None)
    return [method.finals[seed] for method in methods if seed in method.finals]


def _panels(rows: Sequence[Row], made: Path) -> list[tuple[str, Path]]:
    """Pictures with their titles: what all have in common first, then method by method."""
    panels: list[tuple[str, Path]] = []
    for row in rows:
        files = sorted((made / training_name(row)).glob("*.png"))
        if not panels:
            panels += [(file.stem, file) for file in files if file.stem in REFERENCES]
        panels += [(name_of(row), file) for file in files if file.stem not in REFERENCES]
    return panels


def _draw(task: str, panels: Sequence[tuple[str, Path]]) -> Picture:
    import matplotlib.image
    from matplotlib.figure import Figure as Picture

    images = [matplotlib.image.imread(path) for _, path in panels]
    height, width = images[0].shape[:2]
    # Wide pictures, several samples side by side, stand below each other.
    abreast = min(len(panels), max(1, min(_MOST_ABREAST, round(_MOST_ABREAST * height / width))))
    lines = -(-len(panels) // abreast)
    inches = _WIDTH_INCHES / abreast * height / width + _TITLE_INCHES
    picture = Picture(figsize=(_WIDTH_INCHES, lines * inches + _TITLE_INCHES), layout="constrained")
    grid = picture.subplots(lines, abreast, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, (title, _), image in zip(grid.flat, panels, images, strict=False):
        _show(axes, title, image)
    picture.suptitle(f"What networks trained for {task} make", x=0.012, ha="left")
    return picture


def _show(axes: Axes, title: str, image: Any) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(textwrap.fill(title, _TITLE_CHARACTERS), fontsize=8)
