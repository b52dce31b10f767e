"""Variances of gradients as pictures: against batch size, and as ratios against probes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.settings import Setting, by_estimator, settings_of
from xconv_bench.report.summary import Row
from xconv_bench.report.variance_batch_plot import draw_against_batch
from xconv_bench.report.variance_laws import BATCHES_TOGETHER, laws_by_key
from xconv_bench.report.variance_probes_plot import DEVIATION, ROUNDING, draw_against_probes
from xconv_bench.report.variance_ratio_plot import draw_ratio
from xconv_bench.results.schema import TABLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

Named = tuple[str, "Picture | None"]


def plot_variance(
    rows: Sequence[Row], laws: Sequence[Row], folder: Path, layers: Sequence[str] | None = None
) -> list[Path]:
    """Draw the variances in ``rows``, as ``Table.rows`` returns them; return the paths.

    ``variance.png`` has a panel a layer, of ``layers`` or of a few: the standard deviation of the
    gradient against the batch size, a picture an estimator; with a single batch size against the
    probes. ``variance_ratio.png`` shows the estimator's variance over that of minibatches with the
    ``laws`` fitted to it, ``variance_rounding.png`` the error at half precision beside that
    of rounding alone. SVG beside them all. Rows of several settings make a picture each, told apart
    by the ends of their names. What has nothing to show is not drawn.

    Raises BenchError where a file cannot be written.
    """
    by_key = laws_by_key(laws)
    written: list[Path] = []
    with fixed_settings():
        for setting in settings_of(rows, BATCHES_TOGETHER):
            for name, picture in _deviations(setting, layers):
                written += _kept(picture, folder, f"variance{setting.suffix}{name}")
        for setting in settings_of(rows, TABLES["variance"].key):
            for name, picture in (
                ("ratio", draw_ratio(setting, by_key, layers)),
                ("rounding", draw_against_probes(setting, layers, ROUNDING)),
            ):
                written += _kept(picture, folder, f"variance_{name}{setting.suffix}")
    return written


def _deviations(setting: Setting, layers: Sequence[str] | None) -> Iterator[Named]:
    """Pictures of the standard deviation, each with the end of its name."""
    batches = {row["batch_size"] for row in setting.rows}
    if len(batches) == 1:
        # The batch belongs in the title again.
        (single,) = settings_of(setting.rows, TABLES["variance"].key)
        yield "", draw_against_probes(single, layers, DEVIATION)
        return
    names = [name for name, rows in by_estimator(setting.rows).items() if rows[0]["probes"]]
    for name in names:
        yield _suffix(name, names), draw_against_batch(setting, name, layers)


def _suffix(name: str, names: Sequence[str]) -> str:
    """What tells an estimator from the others, in a file name; nothing where there is one."""
    words = [word for word in name.split() if not all(word in other.split() for other in names)]
    return "".join(f"_{re.sub(r'[^A-Za-z0-9.-]+', '-', word)}" for word in words)


def _kept(picture: Picture | None, folder: Path, name: str) -> list[Path]:
    return [] if picture is None else save(picture, folder, name)
