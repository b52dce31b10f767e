"""Averages in eight bits, the rest in two: bytes, levels, and the mean of what comes back."""

import pytest
import torch
from compressed_cases import applied, cell_of, gradients, image, saved_bytes
from statistics_checker import FEWEST_SAMPLES, check_mean
from torch import Tensor, nn

from xconv.layout import Layout
from xconv_bench.methods import find_method
from xconv_bench.methods.dual_precision import LowAndHigh


def test_bytes_of_an_input() -> None:
    """Groups of 256 numbers with 8 bytes each: 2 bits a pixel, 8 bits an average, two seeds."""
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 3))
    batch = image(4, 3, 32, 32)
    pixels, averages = 4 * 8 * 32 * 32, 4 * 8 * 4 * 4
    kept = pixels // 4 + 8 * pixels // 256 + averages + 8 * averages // 256 + 16
    assert saved_bytes(model, batch) == 4 * pixels
    assert saved_bytes(applied(model, "dual-precision", compress="conv"), batch) == kept


@pytest.mark.parametrize("pixels", [(40,), (13, 8), (9, 5, 11)])
@pytest.mark.parametrize("window", [1, 4, 64])
def test_every_number_is_within_its_levels(pixels: tuple[int, ...], window: int) -> None:
    """Windows at the edge may be smaller; one may be larger than the image."""
    store, tensor = LowAndHigh(2, window), image(3, 5, *pixels)
    layout = Layout.of(tensor)
    restored = store.restore(store.keep(tensor), layout)
    assert Layout.of(restored) == layout
    spread = float(tensor.max() - tensor.min())
    # The rest spans at most twice the range; a dither reaches half a level beyond it.
    assert float((restored - tensor).abs().max()) <= spread * (2 / 3 + 1 / 255) * 1.001


def test_low_frequencies_have_eight_bits() -> None:
    """An input that is constant over windows leaves no rest."""
    coarse = image(2, 4, 3, 3)
    tensor = coarse.repeat_interleave(8, 2).repeat_interleave(8, 3)
    store = LowAndHigh(2, 8)
    restored = store.restore(store.keep(tensor), Layout.of(tensor))
    level = float(coarse.max() - coarse.min()) / 255
    assert 0.01 * level < float((restored - tensor).abs().max()) <= level


def test_the_mean_is_the_input() -> None:
    store, tensor = LowAndHigh(1, 4), image(1, 1, 9, 6).relu()
    torch.manual_seed(0)
    layout = Layout.of(tensor)
    samples = [store.restore(store.keep(tensor), layout) for _ in range(FEWEST_SAMPLES)]
    check_mean(torch.stack(samples), tensor)


@pytest.mark.parametrize("kind", ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d"])
def test_every_convolution_is_covered(kind: str) -> None:
    size = int(kind[-2])
    options = {"stride": 2, "groups": 2, "dilation": 2}
    layer = getattr(nn, kind)(4, 6, 3, padding=1, **options)
    first = getattr(nn, f"Conv{size}d")(3, 4, 1)
    model = nn.Sequential(first, layer)
    cell = cell_of("dual-precision", bits=8, compress="conv")
    other = applied(model, "dual-precision", bits=8, compress="conv")
    batch = image(2, 3, *([24] if size == 1 else [12]) * size)
    assert other(batch).equal(model(batch))
    exact, found = gradients(model, batch), gradients(other, batch)
    assert all(map(torch.equal, found[:2], exact[:2]))  # what its input gradient makes of it
    assert 0 < float((found[2] - exact[2]).norm()) < 0.01 * float(exact[2].norm())
    assert find_method("dual-precision").remark(other, cell) == (
        "1 of 2 convolutions is exact: its input needs no gradient (the batch, which is held "
        "anyway): exact gradient"
    )


def test_a_transposed_convolution_is_told_the_size_of_its_output() -> None:
    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.up = nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 2, 3, stride=2)

        def forward(self, input: Tensor) -> Tensor:
            output: Tensor = self.up(input=self.conv(input), output_size=(26, 26))
            return output

    model, batch = Doubled(), image(2, 3, 12, 12)
    other = applied(model, "dual-precision", bits=8, compress="conv")
    assert other(batch).shape == (2, 2, 26, 26) and other(batch).equal(model(batch))
    exact, found = gradients(model, batch)[2], gradients(other, batch)[2]
    assert 0 < float((found - exact).norm()) < 0.01 * float(exact.norm())


def test_what_is_left_exact_is_said() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1)),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(4, 4, 1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    cell = cell_of("dual-precision", compress="conv,linear,norm")
    other = applied(model, "dual-precision", compress="conv,linear,norm")
    batch = image(2, 3, 8, 8)
    for one, two in zip(gradients(model, batch), gradients(other, batch), strict=True):
        assert one.equal(two)
    said = find_method("dual-precision").remark(other, cell).split("; ")
    assert said[0].startswith("4 of 4 convolutions are exact: ")
    assert set(said[0].partition("exact: ")[2].split(", 1 × ")) == {
        "1 × its input needs no gradient (the batch, which is held anyway): exact gradient",
        "padding mode circular",
        "parametrized weight",
        "what would be kept is no smaller than the input: exact gradient",
    }
    assert said[1:] == [
        "linear modules are exact: dual-precision is for convolutions",
        "there are no norm modules (calls of functions are not seen)",
    ]


def test_a_frozen_weight_is_left_to_torch() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3))
    model[1].requires_grad_(False)
    other = applied(model, "dual-precision", compress="conv")
    batch = image(2, 3, 16, 16)
    assert all(map(torch.equal, gradients(other, batch), gradients(model, batch)))
    assert saved_bytes(other, batch) == saved_bytes(model, batch)
    said = find_method("dual-precision").remark(other, cell_of("dual-precision", compress="conv"))
    assert "1 × its weight needs no gradient" in said


def test_evaluation_is_torch_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3))
    other, batch = applied(model, "dual-precision", compress="conv"), image(2, 3, 16, 16)
    state = torch.get_rng_state()
    with torch.no_grad():
        assert other(batch).equal(model(batch))
    assert torch.get_rng_state().equal(state)
