"""The test finds biases, and calls no more unbiased estimators biased than it says."""

import pytest
import torch

from xconv_bench.statistics.bias import FALSE_ALARM_RATE, FEWEST_SEEDS, BiasTest, verdict


def p_value(errors: torch.Tensor) -> float | None:
    test = BiasTest(len(errors))
    for error in errors:
        test.add(error)
    return test.p_value


def errors(seeds: int, entries: int, bias: float = 0.0, number: int = 0) -> torch.Tensor:
    """Normal numbers, correlated between entries; a bias in all of them."""
    generator = torch.Generator().manual_seed(number)
    noise = torch.randn(seeds, entries, generator=generator, dtype=torch.float64)
    return noise + noise.roll(1, 1) + bias


def test_p_values_of_unbiased_errors_are_uniform() -> None:
    """Kolmogorov and Smirnov at a rate of 1e-8; small p values are what matters: they too."""
    from scipy.stats import kstest

    values = [p_value(errors(FEWEST_SEEDS, 20, number=number)) for number in range(1000)]
    assert kstest(values, "uniform").pvalue > 1e-8
    # Binomial with mean 10 below 0.01: 35 or more has a probability of 1e-9.
    assert sum(value < 0.01 for value in values if value is not None) < 35


def test_a_bias_far_below_the_noise_of_a_single_estimate_is_found() -> None:
    noise = errors(64, 500)
    bias = 0.25 * noise.std(0).mean()
    assert p_value(noise + bias) < FALSE_ALARM_RATE  # type: ignore[operator]
    assert p_value(noise) > 0.01  # type: ignore[operator]


def test_without_noise_any_difference_is_a_bias() -> None:
    assert p_value(torch.zeros(FEWEST_SEEDS, 3)) == 1.0
    assert p_value(torch.ones(FEWEST_SEEDS, 3)) == 0.0


def test_too_few_seeds_tell_nothing() -> None:
    assert p_value(errors(FEWEST_SEEDS - 1, 3)) is None
    assert p_value(errors(FEWEST_SEEDS, 3)) is not None


@pytest.mark.parametrize(
    ("p", "error", "expected"),
    [
        (0.5, 1.0, "unbiased"),
        (0.9 * FALSE_ALARM_RATE, 1.0, "unbiased"),
        (0.4 * FALSE_ALARM_RATE, 1.0, "biased"),
        (0.0, 1e-7, "exact"),
        (None, 1.0, ""),
    ],
)
def test_verdicts(p: float | None, error: float, expected: str) -> None:
    """Two layers share the rate of false alarms."""
    assert verdict(p, error, layers=2, rounding=1e-5) == expected
