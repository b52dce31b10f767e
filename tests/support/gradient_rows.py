"""Rows of ``error.csv`` and ``age.csv`` as ``Table.rows`` returns them, made up by formula."""

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any

from xconv_bench.configuration import AverageErrorConfiguration, ErrorConfiguration
from xconv_bench.results.schema import ALL_LAYERS, TABLES

Row = dict[str, Any]

CIFAR_LAYERS = ("0", "2", "5", "7")
ERROR_AT_ONE_PROBE = {"independent": 1.2, "multi": 4.0, "orthogonal": 3.0}
KIBIBYTE, MEBIBYTE = 2**10, 2**20
EXACT_BYTES = 14 * MEBIBYTE


def error_row(**cells: Any) -> Row:
    """A row of ``error.csv``, given any of its columns."""
    empty: Row = dict.fromkeys(TABLES["error"].names)
    configuration = ErrorConfiguration("cifar", batch_size=128, image_size=32)
    return {
        **empty,
        **configuration.key,
        "layer": ALL_LAYERS,
        "status": "ok",
        "message": "",
        "bias_verdict": "",
        **cells,
    }


def estimated(scheme: str, probes: int, layer: str, error: float, saved: int, **cells: Any) -> Row:
    """A row of method xconv with all its figures."""
    return error_row(
        method="xconv",
        scheme=scheme,
        probes=probes,
        distribution="rademacher",
        compress="relu",
        layer=layer,
        weight_elements=1000,
        saved_bytes=saved,
        gradient_norm=2.0,
        relative_error=error,
        relative_error_se=error * 0.02,
        cosine=1 / sqrt(1 + error**2),
        cosine_se=0.002,
        relative_bias=error / sqrt(32) * 1.02,
        relative_bias_noise=error / sqrt(32),
        relative_spread=error,
        relative_spread_se=error * 0.03,
        bias_p_value=0.31,
        bias_false_alarm_rate=1e-6 if layer == ALL_LAYERS else 1e-6 / 4,
        bias_verdict="unbiased",
    ) | {**cells}


def exactly(layer: str, saved: int, **cells: Any) -> Row:
    """A row of a gradient that is the exact one."""
    return error_row(
        layer=layer,
        weight_elements=1000,
        saved_bytes=saved,
        gradient_norm=2.0,
        relative_error=0.0,
        relative_error_se=0.0,
        cosine=1.0,
        cosine_se=0.0,
        relative_bias=0.0,
        relative_bias_noise=0.0,
        relative_spread=0.0,
        relative_spread_se=0.0,
        bias_p_value=1.0,
        bias_false_alarm_rate=1e-6,
        bias_verdict="exact",
    ) | {**cells}


def error_sweep(
    layers: Sequence[str] = CIFAR_LAYERS,
    schemes: Sequence[str] = ("independent", "multi", "orthogonal"),
    probes: Sequence[int] = (8, 32, 128, 512),
    **setting: Any,
) -> list[Row]:
    """Exact and all schemes × probes; the last layer is exact from 512 independent probes on."""
    rows = [exactly(layer, 2 * MEBIBYTE) for layer in layers]
    rows.append(exactly(ALL_LAYERS, EXACT_BYTES))
    for scheme in schemes:
        for count in probes:
            rows += _estimates(layers, scheme, count)
    return [row | setting for row in rows]


def _estimates(layers: Sequence[str], scheme: str, probes: int) -> Iterator[Row]:
    saved = probes * KIBIBYTE * (2 if scheme == "independent" else 1)
    for depth, layer in enumerate(layers):
        if (scheme, layer, probes) == ("independent", layers[-1], 512):
            fallback = estimated(scheme, probes, layer, 0.0, 2 * MEBIBYTE)
            yield fallback | {"bias_verdict": "exact", "bias_p_value": 1.0}
            continue
        # Differing from layer to layer, without an order.
        factor = 1 + (5 * depth % len(layers)) * 2 / len(layers)
        error = ERROR_AT_ONE_PROBE[scheme] * factor / sqrt(probes)
        yield estimated(scheme, probes, layer, error, saved)
    whole = ERROR_AT_ONE_PROBE[scheme] * 1.4 / sqrt(probes)
    network = 2 * MEBIBYTE + len(layers) * saved
    yield estimated(scheme, probes, ALL_LAYERS, whole, network)


def age_row(error: float | None, floor: float | None, **cells: Any) -> Row:
    """A row of ``age.csv`` over all layers, with the standard errors of ``error`` and ``floor``."""
    empty: Row = dict.fromkeys(TABLES["age"].names)
    configuration = AverageErrorConfiguration("cifar", batch_size=128, image_size=32)
    return {
        **empty,
        **configuration.key,
        "layer": ALL_LAYERS,
        "status": "ok",
        "message": "",
        "weight_elements": 1000,
        "minibatch_count": 32,
        "full_gradient_norm": 0.5,
        "average_gradient_error": error,
        "average_gradient_error_se": error and error * 0.05,
        "exact_average_gradient_error": floor,
        "exact_average_gradient_error_se": floor and floor * 0.05,
        **cells,
    }


def age_sweep(budget: int | None = None, **setting: Any) -> list[Row]:
    """Exact and two schemes × four probes; with a ``budget`` each has a batch of its own."""
    rows = [age_row(2.56 / 64, 2.56 / 64, batch_size=64, memory_budget_bytes=budget)]
    for scheme in ("independent", "multi"):
        for probes in (4, 16, 64, 256):
            batch = (400 - probes if scheme == "independent" else 420 - probes) if budget else 64
            floor = 2.56 / batch
            error = floor * (1 + ERROR_AT_ONE_PROBE[scheme] * 30 / probes)
            rows.append(
                age_row(
                    error,
                    floor,
                    method="xconv",
                    scheme=scheme,
                    probes=probes,
                    distribution="rademacher",
                    batch_size=batch,
                    memory_budget_bytes=budget,
                )
            )
    return [row | setting for row in rows]
