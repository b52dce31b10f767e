"""Errors of weight gradients as pictures: against probes, and against what is saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xconv_bench.report.error_bytes_plot import draw_error_bytes
from xconv_bench.report.error_probes_plot import draw_error_probes
from xconv_bench.report.pictures import fixed_settings, save
from xconv_bench.report.settings import settings_of
from xconv_bench.report.summary import Row
from xconv_bench.results.schema import TABLES


def plot_error(
    rows: Sequence[Row], folder: Path, layers: Sequence[str] | None = None
) -> list[Path]:
    """Draw ``error.png`` and ``error_bytes.png`` in ``folder``, SVG beside them; return the paths.

    The first shows the errors in ``rows``, as ``Table.rows`` returns them, against the number of
    probes: a panel an estimator, a line a layer, of ``layers`` only where they are given. The
    second shows that of the whole network against what it saves. Rows of several settings make
    a picture each, told apart by the ends of their names. Nothing is drawn of a setting in which
    no estimator has an error.

    Raises BenchError where a file cannot be written.
    """
    written: list[Path] = []
    with fixed_settings():
        for setting in settings_of(rows, TABLES["error"].key):
            for name, draw in (
                ("error", lambda s: draw_error_probes(s, layers)),
                ("error_bytes", draw_error_bytes),
            ):
                picture = draw(setting)
                if picture is not None:
                    written += save(picture, folder, f"{name}{setting.suffix}")
    return written
