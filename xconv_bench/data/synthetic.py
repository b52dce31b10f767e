"""Synthetic samples: each a pure function of (seed, its index), whatever the batch around it.

The first k samples of a batch of n are therefore the batch of k, on every device, and rounding
apart in every dtype. torch's default generators are left alone.
"""

import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def synthetic_samples(
    sample_shape: tuple[int, ...],
    indices: Sequence[int],
    dtype: torch.dtype,
    device: torch.device | str,
    seed: int,
    stream: str = "input",
) -> Tensor:
    """Draw standard normal samples (B, *sample_shape) of these indices; streams are independent."""
    batch = torch.empty((len(indices), *sample_shape), dtype=dtype, device="cpu")
    sample = torch.empty(sample_shape, dtype=torch.float32, device="cpu")
    for place, generator in enumerate(_generators(seed, stream, indices)):
        batch[place] = sample.normal_(generator=generator)
    return batch.to(device)


def synthetic_labels(
    classes: int,
    label_shape: tuple[int, ...],
    indices: Sequence[int],
    device: torch.device | str,
    seed: int,
) -> Tensor:
    """Draw uniform int64 labels below ``classes`` of these indices: (B, *label_shape)."""
    labels = torch.empty((len(indices), *label_shape), dtype=torch.int64, device="cpu")
    for place, generator in enumerate(_generators(seed, "label", indices)):
        labels[place].random_(classes, generator=generator)
    return labels.to(device)


def _generators(seed: int, stream: str, indices: Sequence[int]) -> Iterator[torch.Generator]:
    """Yield the same generator for each sample, seeded afresh."""
    generator = torch.Generator(device="cpu")
    for index in indices:
        # The CPU generator looks at the low 32 bits of its seed only, so they must carry it all.
        digest = hashlib.blake2b(f"{stream} {seed} {index}".encode(), digest_size=4).digest()
        yield generator.manual_seed(int.from_bytes(digest))
