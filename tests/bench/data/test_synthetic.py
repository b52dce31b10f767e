"""Synthetic samples are a pure function of (seed, index)."""

import pytest
import torch

from xconv_bench.data.synthetic import synthetic_labels, synthetic_samples


def images(count: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return synthetic_samples((3, 5, 7), range(count), dtype, "cpu", seed)


def test_a_batch_begins_like_every_smaller_one() -> None:
    assert torch.equal(images(9)[:4], images(4))
    labels = synthetic_labels(10, (6,), range(9), "cpu", 0)
    assert torch.equal(labels[:4], synthetic_labels(10, (6,), range(4), "cpu", 0))


def test_samples_seeds_and_streams_differ() -> None:
    batch = images(4)
    assert len({tuple(sample.flatten().tolist()) for sample in batch}) == 4
    assert not torch.equal(batch, images(4, seed=1))
    assert not torch.equal(
        batch, synthetic_samples((3, 5, 7), range(4), torch.float32, "cpu", 0, "target")
    )


@pytest.mark.parametrize("seed", [-1, 2**32, 2**70], ids=["negative", "33 bits", "71 bits"])
def test_every_bit_of_the_seed_counts(seed: int) -> None:
    """torch's CPU generator would take 2**32 for 0."""
    assert not torch.equal(images(2, seed=seed), images(2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_dtypes_see_the_same_samples_but_for_rounding(dtype: torch.dtype) -> None:
    assert torch.equal(images(2, dtype), images(2).to(dtype))


def test_values_are_standard_normal() -> None:
    """2**20 values: mean and variance off by 6 standard errors have probability < 1e-8."""
    values = synthetic_samples((1024,), range(1024), torch.float64, "cpu", seed=3)
    assert values.mean().abs() < 6 / 2**10
    assert (values.square().mean() - 1).abs() < 6 * 2**0.5 / 2**10


def test_labels_are_valid_and_all_occur() -> None:
    labels = synthetic_labels(10, (16, 16), range(4), "cpu", seed=0)
    assert labels.dtype == torch.int64 and labels.shape == (4, 16, 16)
    assert labels.unique().tolist() == list(range(10))
    assert synthetic_labels(2**16, (), range(8), "cpu", seed=0).shape == (8,)


def test_torchs_own_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    images(2)
    synthetic_labels(10, (), range(2), "cpu", seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_empty_batch_is_one() -> None:
    assert images(0).shape == (0, 3, 5, 7)


def test_any_indices_in_any_order() -> None:
    whole = synthetic_samples((2,), range(8), torch.float32, "cpu", 0)
    assert torch.equal(
        synthetic_samples((2,), [5, 0, 5], torch.float32, "cpu", 0), whole[[5, 0, 5]]
    )
