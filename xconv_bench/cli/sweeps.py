"""The options that every sweep has, read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xconv_bench.cli import options, parsing

if TYPE_CHECKING:
    from xconv_bench.experiments.sweep import Sweep
    from xconv_bench.results.table import Row


def read_sweep(
    *,
    model: Sequence[str],
    method: Sequence[str],
    scheme: Sequence[str],
    probes: Sequence[str],
    distribution: Sequence[str],
    compress: Sequence[str],
    batch_size: Sequence[str],
    image_size: Sequence[str] | None,
    dtype: Sequence[str],
    devices: tuple[str, ...],
    seed: int,
) -> Sweep:
    """Values of each setting. Raises UsageError for what an option does not take."""
    from xconv.convert import FAMILIES
    from xconv.random import DISTRIBUTIONS
    from xconv.schemes import SCHEMES
    from xconv_bench.experiments.sweep import Sweep
    from xconv_bench.methods import METHODS

    return Sweep(
        models=parsing.words("--model", model),
        methods=parsing.names("--method", method, METHODS),
        schemes=parsing.names("--scheme", scheme, SCHEMES),
        probes=parsing.integers("--probes", probes, least=0),
        distributions=parsing.names("--distribution", distribution, DISTRIBUTIONS),
        compress=parsing.families("--compress", compress, FAMILIES),
        batch_sizes=parsing.integers("--batch-size", batch_size, least=1),
        image_sizes=parsing.integers("--image-size", image_size, least=1) if image_size else (),
        dtypes=parsing.names("--dtype", dtype, options.DTYPES),
        devices=devices,
        seed=seed,
    )


def read_devices(given: Sequence[str] | None) -> tuple[str, ...]:
    """The devices that were given, or the GPU where there is one."""
    if given:
        return parsing.words("--device", given)
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu",)


def exit_code(rows: Sequence[Row]) -> int:
    """1 where something could not be measured; running out of memory is an answer."""
    statuses = {row["status"] for row in rows}
    return int(bool(statuses & {"error", "timeout"}) or "ok" not in statuses)
