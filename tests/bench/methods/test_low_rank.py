"""Truncated decompositions of inputs: bytes, what is lost, and that it is always the same."""

import pytest
import torch
from compressed_cases import applied, cell_of, gradients, image, saved_bytes
from torch import nn

from xconv.layout import Layout
from xconv_bench.methods import find_method
from xconv_bench.methods.low_rank import CoreAndFactors


def tail(tensor: torch.Tensor, dim: int, rank: int) -> float:
    """The energy of an unfolding outside of its leading singular vectors."""
    values: torch.Tensor = torch.linalg.svdvals(tensor.movedim(dim, 0).flatten(1))
    return float(values[rank:].square().sum())


def test_bytes_of_an_input() -> None:
    """A core of half the size in each dimension, and a factor for each."""
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 3))
    batch = image(4, 3, 32, 32)
    numbers = (2 * 4 * 16 * 16) + (4 * 2 + 8 * 4 + 2 * 32 * 16)
    assert saved_bytes(model, batch) == 4 * (4 * 8 * 32 * 32)
    assert saved_bytes(applied(model, "low-rank", compress="conv"), batch) == 4 * numbers
    half = applied(model, "low-rank", compress="conv").bfloat16()
    assert saved_bytes(half, batch.bfloat16()) == 2 * numbers


@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("shape", [(4, 8, 16), (4, 8, 8, 12), (4, 4, 8, 4, 8)])
def test_what_is_lost_is_what_the_decomposition_may_lose(
    shape: tuple[int, ...], fraction: float
) -> None:
    """At least the largest tail of an unfolding, at most the sum of all of them."""
    store, tensor = CoreAndFactors(fraction), image(*shape).double()
    restored = store.restore(store.keep(tensor), Layout.of(tensor))
    lost = float((restored - tensor).square().sum())
    tails = [tail(tensor, dim, round(fraction * size)) for dim, size in enumerate(shape)]
    assert max(tails) <= lost * (1 + 1e-9) and lost <= sum(tails)
    # A projection: the parts are orthogonal, and doing it again changes nothing.
    assert float(restored.square().sum()) + lost == pytest.approx(float(tensor.square().sum()))
    again = store.restore(store.keep(restored), Layout.of(tensor))
    assert again.allclose(restored)


def test_an_input_of_low_rank_has_the_exact_gradient() -> None:
    """Copies of two images, in pairs of channels, constant over windows of two pixels."""
    coarse = image(2, 2, 6, 6)
    for dim in range(4):
        coarse = coarse.repeat_interleave(2, dim)
    model = nn.Sequential(nn.Identity(), nn.Conv2d(4, 3, 3, stride=2, padding=1, groups=1))
    other = applied(model, "low-rank", compress="conv")
    coarse.requires_grad_()  # else it would be the batch
    found, exact = gradients(other, coarse)[0], gradients(model, coarse)[0]
    assert not found.equal(exact)
    assert float((found - exact).norm()) < 1e-5 * float(exact.norm())


def test_every_repetition_has_the_same_error() -> None:
    """Nothing is drawn: it is a bias."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3))
    other = applied(model, "low-rank", compress="conv")
    batch = image(4, 3, 16, 16)
    state = torch.get_rng_state()
    one, two = gradients(other, batch)[2], gradients(other, batch)[2]
    assert one.equal(two) and torch.get_rng_state().equal(state)
    exact = gradients(model, batch)
    assert float((one - exact[2]).norm()) > 0.01 * float(exact[2].norm())
    assert gradients(other, batch)[0].equal(exact[0])


def test_full_rank_and_small_inputs_are_exact_and_said() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1))
    for rank, size in ((1.0, 16), (0.5, 1)):
        other = applied(model, "low-rank", rank=rank, compress="conv")
        batch = image(2, 3, size, size)
        assert all(map(torch.equal, gradients(other, batch), gradients(model, batch)))
        said = find_method("low-rank").remark(other, cell_of("low-rank", compress="conv"))
        assert said.startswith("biased: what lies outside of the kept directions is lost; 2 of 2 ")
        assert "1 × what would be kept is no smaller than the input" in said
