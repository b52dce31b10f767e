"""Checkpointed networks: the exact gradients to the last bit, with less kept."""

import copy
from typing import Any

import pytest
import torch
from own_networks import normalized, perceptron
from torch import Tensor, nn

from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.meters.gradient import SameRandomNumbers
from xconv_bench.meters.saved import SavedMeter
from xconv_bench.methods import find_method
from xconv_bench.models import find


def checkpointed(model: nn.Module, segments: int | None = None) -> nn.Module:
    return find_method("checkpoint").apply(
        model, Configuration("own", "checkpoint", segments=segments)
    )


def image(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def gradients(model: nn.Module, input: Tensor) -> list[Tensor]:
    with SameRandomNumbers(5):
        output = model(input)
        loss = (
            sum(o.square().mean() for o in output)
            if isinstance(output, tuple)
            else (output.square().mean())
        )
        loss.backward()
    return [p.grad for p in model.parameters()]


@pytest.mark.parametrize("segments", [None, 1, 2, 5, 100])
@pytest.mark.parametrize(
    ("name", "size"), [("resnet18", 32), ("squeezenet1_0", 32), ("densenet121", 32),
                       ("paper/cifar", 32), ("paper/unet", 16), ("revnet38", 16)]
)  # fmt: skip
def test_gradients_and_buffers_are_the_exact_ones(
    name: str, size: int, segments: int | None
) -> None:
    """Dropout and batch normalisation included, whatever runs a second time."""
    torch.manual_seed(0)
    model = find(name).build(size).train()
    other = checkpointed(copy.deepcopy(model), segments)
    input = image(2, 3, size, size)
    for one, two in zip(gradients(model, input), gradients(other, input), strict=True):
        assert one.equal(two)
    for one, two in zip(model.buffers(), other.buffers(), strict=True):
        assert one.equal(two)
    assert list(model.state_dict()) == list(other.state_dict())


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Tanh())

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features)


def saved_bytes(model: nn.Module, input: Tensor) -> int:
    meter = SavedMeter(model.parameters())
    with meter:
        output = model(input)
    reading = meter.reading["saved_bytes"]
    del output
    return reading


def test_what_enters_a_segment_is_kept() -> None:
    input = image(2, 4, 8, 8)
    features = 4 * input.numel()
    model = nn.Sequential(*(Block() for _ in range(6)))
    # Each keeps the input of its convolution and the output of its tanh.
    assert saved_bytes(model, input) == 12 * features
    for segments, kept in ((None, 6), (3, 3), (4, 3), (1, 1)):
        assert saved_bytes(checkpointed(copy.deepcopy(model), segments), input) == kept * features


def test_layers_in_a_row_are_grouped_by_the_square_root() -> None:
    """Nine layers are three segments, and what overwrites its input begins none."""
    model = nn.Sequential(*(nn.Tanh() for _ in range(9)))
    input = image(2, 3).requires_grad_()
    assert saved_bytes(checkpointed(model), input) == 3 * 4 * input.numel()
    overwriting = nn.Sequential(
        *(m for _ in range(4) for m in (nn.Conv2d(1, 1, 1), nn.ReLU(inplace=True)))
    )
    other = checkpointed(copy.deepcopy(overwriting), segments=8)
    for one, two in zip(
        gradients(overwriting, image(1, 1, 3, 3)), gradients(other, image(1, 1, 3, 3)), strict=True
    ):
        assert one.equal(two)


def test_what_begins_with_an_overwriting_layer_is_not_checkpointed() -> None:
    def network() -> nn.Sequential:
        torch.manual_seed(0)
        head = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(2, 2, 1), nn.Tanh())
        return nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 1)), head)

    exact = gradients(network(), image(1, 1, 3, 3))
    found = gradients(checkpointed(network(), 8), image(1, 1, 3, 3))
    assert all(one.equal(two) for one, two in zip(exact, found, strict=True))


def test_a_network_of_ones_own() -> None:
    """Batch normalisation, dropout, pooling, in-place layers."""
    torch.manual_seed(0)
    model = normalized()
    model(image(2, 3, 12, 12))
    other = checkpointed(copy.deepcopy(model))
    input = image(4, 3, 12, 12)
    for one, two in zip(gradients(model, input), gradients(other, input), strict=True):
        assert one.equal(two)
    assert model[1].num_batches_tracked == other[1].num_batches_tracked == 2


def test_without_gradients_nothing_is_checkpointed() -> None:
    model = checkpointed(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Tanh()))
    with torch.no_grad():
        assert not model(image(1, 1, 2, 2)).requires_grad


def test_what_has_no_blocks_is_unsupported() -> None:
    class Alone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1)

    with pytest.raises(Unsupported, match=r"^own has no blocks to checkpoint"):
        checkpointed(Alone())
    checkpointed(perceptron())


def test_the_settings_are_its_own() -> None:
    knobs: dict[str, Any] = {"segments": 3}
    assert find_method("checkpoint").knobs == ("segments",)
    assert find_method("checkpoint").settle(knobs) == knobs


class Appends(Block):
    """Leaves its input where a later block looks for it, as decoders with skips do."""

    def forward(self, features: Tensor, skips: Any) -> Tensor:
        self.leave(features, skips)
        return super().forward(features)

    def leave(self, features: Tensor, skips: Any) -> None:
        skips.append(features)


class Replaces(Appends):
    def leave(self, features: Tensor, skips: Any) -> None:
        skips[0] = features


class Names(Appends):
    def leave(self, features: Tensor, skips: Any) -> None:
        skips["here"] = features


class Attaches(Appends):
    def leave(self, features: Tensor, skips: Any) -> None:
        skips.features = features


class Overwrites(Appends):
    def leave(self, features: Tensor, skips: Any) -> None:
        skips.mul_(2)


class Collects(Appends):
    def leave(self, features: Tensor, skips: Any) -> None:
        skips.add(features)


class Holder:
    """An object of the user's own."""


SIDE_EFFECTS: dict[type[Appends], Any] = {
    Appends: list,
    Replaces: lambda: [None],
    Names: dict,
    Attaches: Holder,
    Overwrites: lambda: torch.ones(1),
    Collects: set,
}


class Given(nn.Module):
    """Hands its blocks something that they change."""

    def __init__(self, block: type[Appends]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(block() for _ in range(2))
        self.make = SIDE_EFFECTS[block]

    def forward(self, features: Tensor) -> Tensor:
        given = self.make()
        for block in self.blocks:
            features = block(features, given)
        return features


@pytest.mark.parametrize("block", SIDE_EFFECTS, ids=lambda block: block.__name__)
def test_a_block_that_changes_what_it_is_given_is_unsupported(block: type[Appends]) -> None:
    Given(block)(image(2, 4, 8, 8)).sum().backward()  # it is a network that trains
    model = checkpointed(Given(block))
    with pytest.raises(Unsupported, match=rf"^{block.__name__} changes an argument in its forward"):
        model(image(2, 4, 8, 8))


def test_a_block_that_changes_a_buffer_is_unsupported() -> None:
    """Spectral normalisation: computed again, the weight would be another."""
    blocks = [Block() for _ in range(2)]
    for block in blocks:
        nn.utils.parametrizations.spectral_norm(block.layers[0])
    model = checkpointed(nn.Sequential(*blocks))
    with pytest.raises(Unsupported, match=r"^Block changes a buffer in its forward pass"):
        model(image(2, 4, 8, 8))


def test_running_statistics_of_any_normalisation_are_updated_once() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        *(
            nn.Sequential(nn.Conv2d(3, 3, 1), nn.InstanceNorm2d(3, track_running_stats=True))
            for _ in range(2)
        )
    )
    other = checkpointed(copy.deepcopy(model))
    for each in (model, other):
        gradients(each, image(2, 3, 8, 8))
    for one, two in zip(model.buffers(), other.buffers(), strict=True):
        assert one.equal(two)
