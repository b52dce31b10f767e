"""Measures against epochs: a line a method, in a band over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xconv_bench.report import style
from xconv_bench.report.frame import Entry, framed
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.settings import number
from xconv_bench.report.style import Stroke
from xconv_bench.report.summary import Row
from xconv_bench.report.tables.training import setting_words
from xconv_bench.report.training_words import (
    JUDGED,
    SETTING_KEY,
    Trained,
    measures_in,
    picture_names,
    trained_in,
)
from xconv_bench.results.schema import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_PANEL_INCHES = 3.2
_MOST_MEASURES = 2


def plot_training(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw ``training_TASK`` (PNG, SVG) for each setting of ``rows``, and return the paths.

    Raises BenchError where a file cannot be written.
    """
    paths = []
    settings = trained_in(rows)
    with fixed_settings():
        for name, (key, methods) in zip(picture_names(settings), settings.items(), strict=True):
            columns: dict[str, Any] = dict(zip(SETTING_KEY, key, strict=True))
            picture = _draw(columns, methods)
            if picture is not None:
                paths += save(picture, folder, f"training_{name}")
    return paths


def _draw(columns: dict[str, Cell], methods: Sequence[Trained]) -> Picture | None:
    rows = [row for method in methods for row in method.rows]
    measures = measures_in(rows)[:_MOST_MEASURES]
    if not measures:
        return None
    strokes = _strokes(methods)
    seeds = max(len({row["seed"] for row in method.rows}) for method in methods)
    notes = [f"mean of {seeds} seeds, from the worst to the best in the band"] if seeds > 1 else []
    notes += [f"{m.name}: {m.diverged} diverged" for m in methods if m.diverged]
    picture, panels = framed(
        f"Training with each method: {setting_words(columns)}",
        "",
        [Entry(name, stroke, {"marker": ""}) for name, stroke in strokes.items()],
        notes,
        panels=len(measures),
        panel_inches=_PANEL_INCHES,
        shares_heights=False,
    )
    for axes, measure in zip(panels, measures, strict=True):
        _draw_panel(axes, measure, methods, strokes)
    return picture


def _draw_panel(
    axes: Axes, measure: str, methods: Sequence[Trained], strokes: dict[str, Stroke]
) -> None:
    axes.set_title(JUDGED[measure])
    axes.set_xlabel("epoch")
    axes.grid(axis="y")
    for method in methods:
        curve = _curve(method, measure)
        if not curve:
            continue
        epochs = sorted(curve)
        means = [sum(curve[epoch]) / len(curve[epoch]) for epoch in epochs]
        stroke = strokes[method.name]
        axes.plot(epochs, means, color=stroke.colour, linestyle=stroke.dashes)
        low, high = ([end(curve[epoch]) for epoch in epochs] for end in (min, max))
        axes.fill_between(epochs, low, high, color=stroke.colour, alpha=0.12, linewidth=0)


def _curve(method: Trained, measure: str) -> dict[int, list[float]]:
    curve: dict[int, list[float]] = {}
    for row in method.rows:
        value = number(row, measure)
        if value is not None:
            curve.setdefault(int(row["epoch"] or 0), []).append(value)
    return curve


def _strokes(methods: Sequence[Trained]) -> dict[str, Stroke]:
    """A colour a method or scheme; the numbers of probes differ in dashes."""
    variants: dict[str, int] = {}
    strokes = {}
    for method in methods:
        look = str(method.rows[0]["scheme"] or method.rows[0]["method"])
        strokes[method.name] = style.stroke(look, variants.get(look, 0))
        variants[look] = variants.get(look, 0) + 1
    return strokes
