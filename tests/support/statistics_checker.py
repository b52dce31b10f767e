"""Whether samples have the mean that they should: one checker for every statistical test.

The samples are independent and identically distributed vectors. Their mean is compared with the
expected one along every coordinate, and along the expected vector itself, which is where an error
of scale shows most. Each comparison divides by the standard error that the samples themselves
give; Bonferroni's inequality makes one rate of the many.

False alarms: at most ``FALSE_ALARM_RATE`` if means of the samples were normal. They are only nearly
so. For the mean of n samples of skewness s the tail beyond z grows by a factor of about
``exp(s z³ / 6√n)``: 30 at the most for what the tests use (s ≤ 2, n ≥ 900, z ≤ 6.7), which
leaves the rate below one in a million.
"""

from statistics import NormalDist

import torch
from torch import Tensor

FALSE_ALARM_RATE = 1e-8
FEWEST_SAMPLES = 900


def check_mean(samples: Tensor, expected: Tensor | float) -> None:
    """AssertionError unless ``samples`` (n, ...) may have the mean ``expected`` (...).

    A coordinate in which all samples agree must equal the expected one to rounding.
    """
    assert len(samples) >= FEWEST_SAMPLES, "too few samples for the stated false-alarm rate"
    errors = (samples - expected).flatten(1).double()
    along = torch.as_tensor(expected, dtype=torch.float64).expand(samples.shape[1:]).flatten()
    scores = standard_scores(torch.cat([errors, (errors @ along)[:, None]], dim=1))
    limit = NormalDist().inv_cdf(1 - FALSE_ALARM_RATE / (2 * len(scores)))
    worst = scores.abs().max().item()
    assert worst <= limit, (
        f"the mean of {len(samples)} samples is {worst:.1f} standard errors away from what is "
        f"expected; {limit:.1f} would happen once in {1 / FALSE_ALARM_RATE:.0e} runs"
    )


def standard_scores(errors: Tensor) -> Tensor:
    """Mean of each column of ``errors`` (n, d), in standard errors; rounding counts as none."""
    rounding = 1e-12 * errors.abs().max().clamp(min=1)
    spread = errors.std(0) / len(errors) ** 0.5
    return errors.mean(0) / spread.clamp(min=rounding)
