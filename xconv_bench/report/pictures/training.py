"""Describe the pictures of ``training.csv``: measures by epoch, and what trained networks make."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from xconv_bench.naming import method_words, training_name
from xconv_bench.report.canvas.axes import Axis
from xconv_bench.report.canvas.curves import Band, Curves, Line, Overlay, Panel, Point
from xconv_bench.report.canvas.images import Images
from xconv_bench.report.canvas.style import Look
from xconv_bench.report.pictures.lines import Named, looks_by_name
from xconv_bench.report.rows import Beside, Row, number
from xconv_bench.report.training_words import (
    JUDGED,
    Trained,
    TrainedSetting,
    measures_in,
    trained_in,
)

_MOST_MEASURES = 2
_BAND_ALPHA = 0.12
_REFERENCES = ("input", "truth")


def training(rows: Sequence[Row], beside: Beside) -> Iterator[Named]:
    """Describe measures by epoch, and side by side what networks made, setting by setting.

    Files are called by the task, with a number from its second setting on.
    """
    settings = trained_in(rows)
    tasks = [str(setting.columns["task"]) for setting in settings]
    counts = [tasks[: place + 1].count(task) for place, task in enumerate(tasks)]
    names = [f"{t}_{n}" if n > 1 else t for t, n in zip(tasks, counts, strict=True)]
    for name, setting in zip(names, settings, strict=True):
        yield f"training_{name}", by_epoch(setting)
    for name, setting in zip(names, settings, strict=True):
        yield f"made_{name}", made_images(setting.methods, beside.made)


def by_epoch(setting: TrainedSetting) -> Curves | None:
    """Describe a panel for each measure; None where there is none."""
    methods, measures = setting.methods, measures_in(setting.rows)[:_MOST_MEASURES]
    if not measures:
        return None
    looks = looks_by_name({method.name: method.rows for method in methods}, has_markers=False)
    seeds = max(len({row["seed"] for row in method.rows}) for method in methods)
    notes = [f"mean of {seeds} seeds, from the worst to the best in the band"] if seeds > 1 else []
    return Curves(
        f"Training with each method: {setting.title}",
        Axis("epoch"),
        Axis(has_grid=True),
        [
            Panel(
                [m for each in methods for m in _marks(each, measure, looks[each.name])],
                JUDGED[measure],
            )
            for measure in measures
        ],
        list(looks.values()),
        [*notes, *(f"{each.name}: {each.diverged} diverged" for each in methods if each.diverged)],
        panel_inches=3.2,
        shares_heights=False,
    )


def _marks(method: Trained, measure: str, look: Look) -> Iterator[Overlay]:
    """Yield the mean of a measure over seeds, and the band from the worst to the best."""
    curve: dict[int, list[float]] = {}
    for row in method.rows:
        if (value := number(row, measure)) is not None:
            curve.setdefault(int(row["epoch"] or 0), []).append(value)
    if curve:
        epochs = sorted(curve)
        yield Line([Point(e, sum(curve[e]) / len(curve[e])) for e in epochs], look)
        low, high = ([end(curve[epoch]) for epoch in epochs] for end in (min, max))
        yield Band(epochs, low, high, look.colour, _BAND_ALPHA)


def made_images(methods: Sequence[Trained], made: Path | None) -> Images | None:
    """Describe what each method's network made from the first seed that any ended from.

    The images that all have in common come first. None where nothing was made.
    """
    if made is None:
        return None
    seed = next((seed for method in methods for seed in method.finals), None)
    rows = [method.finals[seed] for method in methods if seed in method.finals]
    images: list[tuple[str, Path]] = []
    for row in rows:
        files = sorted((made / training_name(row)).glob("*.png"))
        if not images:
            images += [(file.stem, file) for file in files if file.stem in _REFERENCES]
        images += [(method_words(row), file) for file in files if file.stem not in _REFERENCES]
    task = methods[0].rows[0]["task"]
    return (
        Images(f"Images made by networks that were trained for {task}", images) if images else None
    )
