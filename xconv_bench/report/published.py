"""Figures of the XConv paper (arXiv 2106.06998), to stand beside ours."""

from collections.abc import Mapping

from xconv_bench.results.columns import Cell

_MAX_BATCH_SETTING = {
    "model": "squeezenet1_0",
    "dtype": "float32",
    "memory_budget_bytes": 16 * 2**30,
    "headroom": 0.92,
}
_MAX_BATCHES = {
    # Pixels a side: by probes of the scheme "independent", None for exact.
    128: {None: 1392, 4: 1991, 16: 1988, 128: 1806},
    256: {None: 324, 4: 493, 16: 493, 128: 490},
    512: {None: 78, 4: 122, 16: 122, 128: 120},
}
"""With ReLUs of one byte an element; ours keep a bit."""


def published_max_batch(row: Mapping[str, Cell]) -> int | None:
    """The paper's largest batch for the setting of a row of ``max_batch.csv``, where it has one."""
    if any(row[column] != value for column, value in _MAX_BATCH_SETTING.items()):
        return None
    is_published = row["method"] == "exact" or (
        (row["method"], row["scheme"], row["compress"]) == ("xconv", "independent", "conv,relu")
    )
    size, probes = row["image_size"], row["probes"]
    if not is_published or not isinstance(size, int) or not isinstance(probes, int | None):
        return None
    return _MAX_BATCHES.get(size, {}).get(probes)
