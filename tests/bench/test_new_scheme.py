"""A new scheme is its file and a line in the registry; all the rest follows."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import pytest
import torch
from own_networks import name
from torch import Tensor, nn

import xconv
from xconv.layout import Layout
from xconv.plan import Setting
from xconv.probing import Probing
from xconv.random import random_words
from xconv.schemes import SCHEMES
from xconv.schemes.rebuilt import Rebuilt
from xconv.schemes.scheme import Dials
from xconv_bench.configuration import Configuration
from xconv_bench.knobs import KNOBS
from xconv_bench.launch.outcome import Outcome
from xconv_bench.measurement.measure import Measurement
from xconv_bench.naming import method_words
from xconv_bench.report.canvas.style import shades

NETWORK = name("normalized")
SEEDS = 24


class Images(Rebuilt):
    """k whole images of B, each with probability k/B: x̂ is B/k times these, zero elsewhere."""

    name, dial, default, allowed = "images", "keep", 0.5, "above 0, up to 1"

    def check(self, value: float) -> None:
        if not 0 < value <= 1:
            raise ValueError(f"keep must be above 0 and at most 1; got {value:g}")

    def describe(self, probing: Dials) -> str:
        return f"images, {probing.keep:g} of them"

    def kept_bytes(self, layout: Layout, probing: Dials) -> int:
        return count(layout, probing) * prod(layout.shape[1:]) * layout.dtype.itemsize

    def divide(self, parts: Sequence[Any], mean: float) -> list[float]:
        return [mean] * len(parts)

    def keep(
        self, input: Tensor, seed: Tensor, probing: Dials, layout: Layout, *_: object
    ) -> tuple[Tensor, ...]:
        return seed, input[drawn(seed, layout, probing)]

    def kept_like(self, input: Tensor, layout: Layout, probing: Dials, plan: None) -> list[Tensor]:
        return [input.new_empty(count(layout, probing), *layout.shape[1:])]

    def factor(self, probing: Dials, layout: Layout) -> float:
        return layout.shape[0] / count(layout, probing)

    def rebuild(
        self, kept: Sequence[Tensor], seed: Tensor, probing: Dials, layout: Layout
    ) -> Iterator[tuple[slice, Tensor]]:
        every = slice(0, layout.shape[0])
        yield (
            every,
            layout.empty(every).zero_().index_copy_(0, drawn(seed, layout, probing), kept[0]),
        )


def count(layout: Layout, probing: Dials) -> int:
    return max(1, int(layout.shape[0] * (probing.keep or Images.default)))


def drawn(seed: Tensor, layout: Layout, probing: Dials) -> Tensor:
    numbers = random_words(seed, 0, layout.shape[0], torch.int64, layout.device)
    return numbers.topk(count(layout, probing), largest=False).indices


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEMES, "images", Images())


def weight_gradient(layer: nn.Module, images: Tensor, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    layer.zero_grad()
    layer(images).square().sum().backward()
    return layer.weight.grad.clone()


def test_a_layer_takes_it_and_its_gradient_is_unbiased() -> None:
    """Both values that the gradient has are seen: not so with a probability of 2⁻²³."""
    torch.manual_seed(0)
    exact = nn.Conv2d(3, 4, 3, dtype=torch.float64)
    layer = xconv.XConv2d(3, 4, 3, scheme="images", keep=0.5, dtype=torch.float64)
    layer.load_state_dict(exact.state_dict())
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(layer(images), exact(images))
    found = [weight_gradient(layer, images, seed) for seed in range(SEEDS)]
    one, other = found[0], next(each for each in found if not torch.allclose(each, found[0]))
    torch.testing.assert_close((one + other) / 2, weight_gradient(exact, images))


def test_conversion_and_plans_take_it() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))
    xconv.convert(model, scheme="images", keep=0.25)
    assert isinstance(model[1], xconv.XConv2d)
    assert "keep=0.25, scheme=images" in repr(model[1])
    assert str(Setting(scheme="images", keep=0.25)) == "images, 0.25 of them"


def test_mistakes_name_it() -> None:
    with pytest.raises(ValueError, match="takes keep, not bits; got bits=2"):
        Probing(scheme="images", bits=2)
    with pytest.raises(ValueError, match="did you mean 'images'"):
        Probing(scheme="image")


def test_it_is_a_value_of_the_option_with_words_and_a_colour() -> None:
    assert KNOBS["scheme"].values(["images"]) == ("images",)
    cell = Configuration(NETWORK, "xconv", "images", keep=0.5, compress="conv")
    assert method_words(cell.key) == "xconv images keep=0.5 conv"
    assert shades("images").dark not in {
        shades(other).dark for other in SCHEMES if other != "images"
    }


def test_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    # An earlier test of this process may have compiled, and then nothing live is counted.
    monkeypatch.setattr("xconv_bench.measurement.measure.has_compiled", lambda: False)

    def measured(**knobs: Any) -> Outcome:
        outcome = Outcome()
        for event in Measurement(Configuration(NETWORK, batch_size=2, image_size=12, **knobs), 1)():
            outcome.add(event)
        return outcome

    images = dict(method="xconv", scheme="images", compress="conv", first="compressed")
    half, whole = measured(**images, keep=0.5), measured(**images, keep=1.0)
    assert half.readings["saved_bytes"] < whole.readings["saved_bytes"]
    assert half.readings["gradient_relative_error"] > 0.1
    assert whole.readings["gradient_relative_error"] < 1e-5
