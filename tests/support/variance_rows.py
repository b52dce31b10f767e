"""Rows of ``variance.csv`` and ``estimates.csv`` as ``Table.rows`` returns them, by formula."""

from collections.abc import Sequence
from math import sin
from typing import Any

from xconv_bench.configuration import VarianceConfiguration
from xconv_bench.results.schema import ALL_LAYERS, TABLES

Row = dict[str, Any]

CIFAR_LAYERS = ("0", "2", "5", "7")
RATIO_AT_ONE_PROBE = {"independent": 51.2, "multi": 1024.0, "orthogonal": 800.0}
KIBIBYTE = 2**10


def variance_row(columns: Sequence[str] = TABLES["variance"].names, **cells: Any) -> Row:
    """A row of ``variance.csv``, given any of its columns."""
    empty: Row = dict.fromkeys(columns)
    key = VarianceConfiguration("cifar", batch_size=128, image_size=32).key
    return {**empty, **key, "layer": ALL_LAYERS, "status": "ok", "message": "", **cells}


def estimator(scheme: str, probes: int) -> Row:
    """The columns that tell an estimator from others."""
    return {"method": "xconv", "scheme": scheme, "probes": probes, "distribution": "rademacher"}


def parted(sampling: float, ratio: float) -> Row:
    """The figures where the parts add up, with errors of 10 %."""
    added, total = ratio * sampling, (1 + ratio) * sampling
    return {
        "weight_elements": 1000,
        "saved_bytes": 512 * KIBIBYTE,
        "gradient_norm": 2.0,
        "sampling_variance": sampling,
        "sampling_variance_se": sampling * 0.1,
        "estimator_variance": added,
        "estimator_variance_se": added * 0.1,
        "total_variance": total,
        "total_variance_se": total * 0.1,
        "variance_ratio": ratio,
        "variance_ratio_low": ratio * 0.8,
        "variance_ratio_high": ratio * 1.25,
        "squared_error": added,
        "squared_error_se": added * 0.1,
    }


def variance_sweep(
    layers: Sequence[str] = CIFAR_LAYERS,
    schemes: Sequence[str] = ("independent", "multi", "orthogonal"),
    probes: Sequence[int] = (4, 16, 64, 256),
    batches: Sequence[int] = (128,),
    **setting: Any,
) -> list[Row]:
    """Exact and all schemes × probes × batches: ratio ∝ 1/r, sampling variance ∝ 1/batch."""
    rows = []
    for batch in batches:
        for depth, layer in enumerate([*layers, ALL_LAYERS]):
            # Differing from layer to layer, without an order.
            factor = 1.0 if layer == ALL_LAYERS else 0.5 + (5 * depth % len(layers)) / len(layers)
            cells = {"layer": layer, "batch_size": batch}
            sampling = 4.0 * factor / batch
            rows.append(variance_row(**parted(sampling, 0.0), **cells))
            for scheme in schemes:
                for count in probes:
                    ratio = RATIO_AT_ONE_PROBE[scheme] * factor / count
                    rows.append(
                        variance_row(**parted(sampling, ratio), **estimator(scheme, count), **cells)
                    )
    return [row | setting for row in rows]


def rounded(rows: Sequence[Row], rounding: float) -> list[Row]:
    """The rows as at half precision, with the squared error of rounding."""
    return [
        row | {"dtype": "bfloat16", "rounding_squared_error": rounding,
               "rounding_squared_error_se": rounding * 0.1}
        for row in rows
    ]  # fmt: skip


def estimates_sweep(
    layers: Sequence[str] = ("0",),
    schemes: Sequence[str] = ("independent", "multi", "orthogonal"),
    probes: Sequence[int] = (4, 16, 64, 256),
    weights: int = 32,
    **setting: Any,
) -> list[Row]:
    """Single weights of some layers: gradients within ±1, bands of ±0.5 around them."""
    return [
        variance_row(
            TABLES["estimates"].names,
            **estimator(scheme, count),
            layer=layer,
            weight_index=10 * weight,
            exact_gradient=sin(weight),
            exact_low=sin(weight) - 0.5,
            exact_high=sin(weight) + 0.5,
            estimate=sin(weight) + sin(7.0 * weight) * (RATIO_AT_ONE_PROBE[scheme] / count) ** 0.5,
        )
        | setting
        for layer in layers
        for scheme in schemes
        for count in probes
        for weight in range(weights)
    ]
