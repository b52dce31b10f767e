"""The one attribute that we put on a module: a class of the user's could miss nothing."""

import copy
import pickle
from typing import Any

import pytest
import torch
from layer_cases import CONV2D, KINDS, Kind, images, small_network
from torch import Tensor, nn

from xconv import XConv2d, convert, revert
from xconv.modules import set_probing
from xconv.probing import Probing
from xconv.state import ATTRIBUTE, State, state_of


class Planned(nn.Conv2d):
    """A subclass with torch's forward pass and attributes, methods and properties of its own, named
    as one might name ours."""

    probes = "its own"
    falls_back = "its own"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.scheme, self.distribution = "cosine", [1, 2]

    def set_probing(self) -> str:
        return "its own"

    def extra_repr(self) -> str:
        return f"scheme={self.scheme}, {super().extra_repr()}"


class Strict(nn.Conv2d):
    """A subclass that protects itself."""

    @property
    def probes(self) -> int:
        return 7

    @property
    def scheme(self) -> str:
        return "fixed"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        vars(self)["sealed"] = True

    def __setattr__(self, name: str, value: Any) -> None:
        if "sealed" in vars(self):
            raise AttributeError(f"{name} is not for setting")
        super().__setattr__(name, value)


def own(layer: Any) -> tuple[Any, ...]:
    return layer.probes, layer.falls_back, layer.scheme, layer.distribution, layer.set_probing()


def test_a_subclass_keeps_what_it_named_as_we_might() -> None:
    layer = Planned(3, 8, 3)
    expected, held = own(layer), dict(vars(layer))
    convert(layer, probes=4, scheme="multi")
    assert own(layer) == expected
    layer(images()).sum().backward()
    assert "scheme=cosine, 3, 8" in repr(layer) and "probes=4, scheme=multi" in repr(layer)
    assert vars(layer).keys() - held.keys() == {ATTRIBUTE}
    revert(layer)
    assert vars(layer) == held and own(layer) == expected and type(layer) is Planned


def test_so_does_one_that_lets_nothing_be_set() -> None:
    layer = convert(Strict(3, 8, 3), probes=4)
    assert isinstance(layer, XConv2d) and (layer.probes, layer.scheme) == (7, "fixed")
    layer(images()).sum().backward()
    assert type(revert(layer)) is Strict


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_our_layers_add_no_public_name(kind: Kind) -> None:
    public = {name for name in dir(kind.ours) if not name.startswith("_")}
    assert public == {name for name in dir(kind.exact) if not name.startswith("_")}
    ours, exact = kind.ours(4, 4, 3), kind.exact(4, 4, 3)
    assert vars(ours).keys() - vars(exact).keys() == {ATTRIBUTE}


class Final(nn.Conv2d):
    """A class from which none may be derived."""

    def __init_subclass__(cls) -> None:
        raise TypeError("Final is final")


def states(model: nn.Module) -> list[tuple[type, State | None]]:
    return [(type(module), state_of(module)) for module in model.modules()]


@pytest.mark.parametrize("converted", [False, True], ids=["fresh", "converted"])
def test_a_conversion_that_fails_half_way_changes_nothing(converted: bool) -> None:
    model = nn.Sequential(small_network()[:4], nn.ReLU(), Final(8, 4, 3), nn.ReLU())
    if converted:
        convert(model, probes=5, skip=["0.0", "2"], first="exact")
    before = states(model)
    with pytest.raises(TypeError, match="Final is final"):
        convert(model, probes=2, scheme="multi")
    assert states(model) == before
    model(images()).sum().backward()


def test_the_state_travels_with_its_module_and_not_with_its_weights() -> None:
    model = convert(small_network(), probes=200, scheme="multi", skip=["0"])
    model(images())
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert states(twin) == states(model)
        assert state_of(twin[3]) is not state_of(model[3])
    assert not any(ATTRIBUTE in name for name in model.state_dict())


def test_a_built_layer_stays_probed_whatever_is_skipped() -> None:
    model = nn.Sequential(XConv2d(3, 4, 3, probes=5), nn.Conv2d(4, 4, 3))
    convert(model, skip=["0", "1"])
    assert state_of(model[0]) == State(Probing(5))
    revert(model)
    assert state_of(model[0]) == State(Probing(5)) and state_of(model[1]) is None


def test_probes_may_change_between_calls() -> None:
    layer = convert(nn.Conv2d(3, 8, 3), probes=2)
    layer(images())
    set_probing(layer, 16, "multi", "gaussian")
    assert repr(layer).endswith("probes=16, scheme=multi, distribution=gaussian)")
    assert type(revert(layer)) is nn.Conv2d
    with pytest.raises(TypeError, match=r"expected a probed layer.*got Conv2d"):
        set_probing(layer, 4)


CHANGES: dict[str, dict[str, Any]] = {
    "padding": {"padding": (2, 2)},
    "padding of one number": {"padding": 2},
    "a word": {"padding": "valid"},
    "stride": {"stride": (2, 1)},
    "stride of one number": {"stride": 2},
    "dilation": {"dilation": (2, 2)},
    "groups": {"groups": 1},
    "mode": {"padding_mode": "circular"},
    "no mode": {"padding_mode": "zeros"},
    "kernel size": {"kernel_size": (5, 5)},
    "channels": {"in_channels": 7, "out_channels": 9},
    "border": {"_reversed_padding_repeated_twice": [2, 1, 0, 1]},
}


@pytest.mark.parametrize("gradients", [True, False], ids=["training", "no_grad"])
@pytest.mark.parametrize("padding", [1, "same"], ids=str)
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_attributes_changed_since_construction_mean_what_they_mean_to_torch(
    change: dict[str, Any], mode: str, padding: int | str, gradients: bool
) -> None:
    exact, ours = CONV2D.pair(4, 6, 3, padding=padding, padding_mode=mode)
    for layer in (exact, ours):
        vars(layer).update(change)
    x = CONV2D.images()
    with torch.set_grad_enabled(gradients):
        assert torch.equal(attempt(ours, x), attempt(exact, x))


def test_so_they_do_for_a_transposed_layer() -> None:
    kind = KINDS[4]
    for change in (
        {"stride": (2, 2)}, {"stride": 2}, {"padding": (1, 1)}, {"output_padding": (1, 1)},
        {"dilation": (2, 2)}, {"padding_mode": "reflect"}, {"padding": 1}, {"output_padding": 1},
    ):  # fmt: skip
        exact, ours = kind.pair(4, 6, 3, stride=3)
        for layer in (exact, ours):
            vars(layer).update(change)
        assert torch.equal(attempt(ours, kind.images()), attempt(exact, kind.images())), change


def attempt(layer: nn.Module, x: Tensor) -> Tensor:
    """The output, or the class of the error in its place."""
    try:
        output: Tensor = layer(x)
    except Exception as error:
        return torch.tensor([hash(type(error).__name__) % 1000])
    return output


def test_torch_may_leave_its_initialisation_out() -> None:
    layer = nn.utils.skip_init(XConv2d, 3, 8, 3, probes=4, scheme="multi")
    assert layer.weight.shape == (8, 3, 3, 3) and layer.weight.device.type == "cpu"
    assert state_of(layer) == State(Probing(4, "multi"))
