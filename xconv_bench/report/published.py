"""Hold figures of the XConv paper (arXiv 2106.06998), to stand beside ours."""

from collections.abc import Mapping

from xconv_bench.results.schema import Cell

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
"""Largest batches with ReLUs of one byte an element; ours keep a bit."""


def published_max_batch(row: Mapping[str, Cell]) -> int | None:
    """Return the paper's largest batch for a row of ``max_batch.csv``, where it has one."""
    if any(row[column] != value for column, value in _MAX_BATCH_SETTING.items()):
        return None
    is_published = row["method"] == "exact" or (
        (row["method"], row["scheme"], row["compress"]) == ("xconv", "independent", "conv,relu")
    )
    size, probes = row["image_size"], row["probes"]
    if not is_published or not isinstance(size, int) or not isinstance(probes, int | None):
        return None
    return _MAX_BATCHES.get(size, {}).get(probes)


_LAYERS_SETTING = {"batch_size": 128, "image_size": 64, "dtype": "float32"}
_GIGABYTE = 10**9
_LAYERS_PEAKS = {
    # Read off a figure: exact, probes alone, probes and ReLUs of a byte.
    "resnet50": {None: 0.87, "conv": 0.83, "conv,relu": 0.60},
    "squeezenet1_0": {None: 0.30, "conv": 0.225, "conv,relu": 0.14},
}


def published_layers_peak(row: Mapping[str, Cell]) -> float | None:
    """Return the paper's peak above the start, in bytes, for a row of ``layers.csv``."""
    if any(row[column] != value for column, value in _LAYERS_SETTING.items()):
        return None
    if row["method"] not in ("exact", "xconv"):
        return None
    peaks = _LAYERS_PEAKS.get(str(row["model"]), {})
    compress = row["compress"]
    peak = peaks.get(compress) if compress is None or isinstance(compress, str) else None
    return None if peak is None else peak * _GIGABYTE


_ACCURACY_SETTING = {"model": "paper/mnist-2021", "epochs": 20, "learning_rate": 0.003}
_BATCHES = (32, 64, 128, 256, 512, 1024)
_ACCURACIES: Mapping[int | None, tuple[float, ...]] = {
    None: (0.9922, 0.9930, 0.9936, 0.9923, 0.9918, 0.9884),
    2: (0.9656, 0.9474, 0.9610, 0.9584, 0.9472, 0.9394),
    8: (0.9762, 0.9721, 0.9728, 0.9762, 0.9627, 0.9625),
    32: (0.9818, 0.9862, 0.9847, 0.9838, 0.9815, 0.9789),
    64: (0.9874, 0.9829, 0.9877, 0.9848, 0.9819, 0.9803),
}
"""Accuracies on MNIST after 20 epochs of Adam at 3e-3, by probes; exact has none (2021 table)."""


def published_accuracy(row: Mapping[str, Cell]) -> float | None:
    """Return the paper's accuracy, where a row of ``training.csv`` repeats it on any data."""
    is_published = row["method"] == "exact" or (
        (row["method"], row["scheme"], row["first"]) == ("xconv", "independent", "exact")
    )
    if not is_published or row["batch_size"] not in _BATCHES:
        return None
    if any(row[column] != value for column, value in _ACCURACY_SETTING.items()):
        return None
    probes = row["probes"]
    found = _ACCURACIES.get(probes) if probes is None or isinstance(probes, int) else None
    return None if found is None else found[_BATCHES.index(int(row["batch_size"]))]
