"""Where both parts of the variance are known, both are found, and so is their sum."""

import pytest
import torch
from statistics_checker import check_mean

from xconv_bench.statistics.decomposition import Decomposition

ENTRIES = 6
SAMPLING, ESTIMATOR, ROUNDING = 4.0, 9.0, 0.25
MINIBATCHES = 1000


def decompose(minibatches: int, repeats: int, seed: int = 0, scale: float = 1.0) -> Decomposition:
    """Exact gradients 1 + noise; estimates with noise of their own; each entry independent."""
    generator = torch.Generator().manual_seed(seed)

    def noise(variance: float) -> torch.Tensor:
        numbers = torch.randn(ENTRIES, generator=generator, dtype=torch.float64)
        return (variance / ENTRIES) ** 0.5 * scale * numbers

    parts = Decomposition()
    for _ in range(minibatches):
        exact = scale + noise(SAMPLING)
        estimates = [exact + noise(ESTIMATOR) for _ in range(repeats)]
        parts.add(exact, estimates, exact + noise(ROUNDING))
    return parts


@pytest.mark.parametrize("repeats", [2, 3])
def test_each_part_is_what_it_is_known_to_be(repeats: int) -> None:
    parts = decompose(MINIBATCHES, repeats)
    for samples, expected in (
        (parts.sampling, SAMPLING),
        (parts.estimator, ESTIMATOR),
        (parts.total, SAMPLING + ESTIMATOR),
        (parts.squared_error, ESTIMATOR),
        (parts.rounding, ROUNDING),
    ):
        check_mean(torch.tensor(samples, dtype=torch.float64)[:, None], expected)
        with pytest.raises(AssertionError, match="standard errors"):
            check_mean(torch.tensor(samples, dtype=torch.float64)[:, None], 1.2 * expected)


def test_the_columns_and_the_interval_of_the_ratio() -> None:
    """The interval is at 95 %: six times as wide it misses once in 1e30 runs."""
    columns = decompose(MINIBATCHES, 2).readings()
    assert columns["gradient_norm"] == pytest.approx(ENTRIES**0.5, rel=0.05)
    assert columns["weight_elements"] == ENTRIES
    assert columns["variance_ratio"] == pytest.approx(
        columns["estimator_variance"] / columns["sampling_variance"], rel=0.01
    )
    low, high = columns["variance_ratio_low"], columns["variance_ratio_high"]
    assert low < columns["variance_ratio"] < high
    assert abs(columns["variance_ratio"] - ESTIMATOR / SAMPLING) < 3 * (high - low)
    assert columns["sampling_variance_se"] == pytest.approx(
        SAMPLING * (2 / ENTRIES / MINIBATCHES) ** 0.5, rel=0.2
    )


def test_layers_together_are_one_vector() -> None:
    layers = [decompose(5, 2, seed=seed, scale=10.0**seed) for seed in range(3)]
    whole = Decomposition.together(layers).readings()
    apart = [layer.readings() for layer in layers]
    for column in ("sampling_variance", "estimator_variance", "total_variance", "squared_error"):
        assert whole[column] == pytest.approx(sum(each[column] for each in apart))
    assert whole["weight_elements"] == 3 * ENTRIES
    assert whole["gradient_norm"] ** 2 == pytest.approx(
        sum(each["gradient_norm"] ** 2 for each in apart)
    )


def test_the_exact_method_adds_nothing() -> None:
    parts = Decomposition()
    for value in (1.0, 2.0, 4.0):
        exact = torch.tensor([value])
        parts.add(exact, [exact], None)
    columns = parts.readings()
    assert columns["estimator_variance"] == columns["squared_error"] == 0
    assert columns["variance_ratio"] == columns["variance_ratio_high"] == 0
    assert columns["sampling_variance"] == columns["total_variance"] == pytest.approx(7 / 3)
    assert columns["rounding_squared_error"] is None


def test_a_single_minibatch_tells_nothing_of_sampling() -> None:
    columns = decompose(1, 2).readings()
    assert columns["sampling_variance"] is None and columns["variance_ratio"] is None
    assert columns["estimator_variance"] > 0
