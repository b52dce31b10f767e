"""A method turns a model into its own form, says which settings it reads, or says why it cannot."""

from dataclasses import fields, replace

import pytest
import torch
from own_networks import perceptron, plain
from torch import nn

from xconv import BitReLU, XConv2d, convert
from xconv.probing import Probing
from xconv.state import state_of
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported
from xconv_bench.methods import METHODS

PROBED = Configuration("own", "xconv", scheme="multi", probes=5, compress="conv,relu")


@pytest.mark.parametrize("name", METHODS)
def test_what_every_method_keeps_to(name: str) -> None:
    method = METHODS[name]
    assert method.name == name
    assert set(method.knobs) <= {field.name for field in fields(Configuration)}


def test_exact_changes_nothing() -> None:
    model = plain()
    before = list(map(type, model))
    assert METHODS["exact"].apply(model, Configuration("own")) is model
    assert list(map(type, model)) == before
    assert METHODS["exact"].knobs == ()


def test_xconv_swaps_what_the_configuration_says() -> None:
    model = METHODS["xconv"].apply(plain(), PROBED)
    assert [type(m) for m in model[:4]] == [XConv2d, BitReLU, XConv2d, BitReLU]
    assert state_of(model[0]).probing == Probing(5, "multi", "rademacher")
    gaussian = METHODS["xconv"].apply(plain(), replace(PROBED, distribution="gaussian"))
    assert state_of(gaussian[0]).probing.distribution == "gaussian"


@pytest.mark.parametrize(
    ("compress", "kinds"), [("conv", [XConv2d, nn.ReLU]), ("relu", [nn.Conv2d, BitReLU])]
)
def test_xconv_swaps_the_families_that_it_is_told(compress: str, kinds: list[type]) -> None:
    knobs = METHODS["xconv"].settle({"scheme": "multi", "probes": 5, "compress": compress})
    model = METHODS["xconv"].apply(plain(), Configuration("own", "xconv", **knobs))
    assert [type(m) for m in model[:2]] == kinds


def test_xconv_needs_something_to_swap() -> None:
    with pytest.raises(Unsupported, match=r"^own has no module that xconv can swap; it compresses"):
        METHODS["xconv"].apply(perceptron(), PROBED)
    with pytest.raises(Unsupported, match="it compresses relu modules"):
        relu_alone = Configuration("own", "xconv", compress="relu")
        METHODS["xconv"].apply(nn.Sequential(nn.Conv2d(1, 1, 1)), relu_alone)


@pytest.mark.parametrize(
    ("given", "settled"),
    [
        (("multi", 8, "gaussian", "conv,relu"), ("multi", 8, "gaussian", "conv,relu")),
        (("multi", 8, "gaussian", "relu"), (None, None, None, "relu")),
        (("multi", 0, "gaussian", "conv,relu"), (None, 0, None, "conv,relu")),
    ],
)
def test_settings_without_effect_are_dropped(given: tuple, settled: tuple) -> None:
    names = ("scheme", "probes", "distribution", "compress")
    knobs = dict(zip(names, given, strict=True))
    assert METHODS["xconv"].settle(knobs) == dict(zip(names, settled, strict=True))
    assert knobs == dict(zip(names, given, strict=True))


def test_the_row_of_a_network_says_what_is_left_exact() -> None:
    method = METHODS["xconv"]
    model = method.apply(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)), PROBED)
    model(torch.randn(2, 3, 8, 8))
    assert method.remark(model, PROBED) == ""
    convert(model, probes=5, skip=["2"])
    assert method.remark(model, PROBED) == "1 of 2 conv modules are exact: 1 × skipped on request"


def test_a_sketch_that_would_be_larger_is_remarked_upon() -> None:
    many = replace(PROBED, scheme="independent", probes=40)
    model = METHODS["xconv"].apply(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)), many)
    model(torch.randn(2, 3, 8, 8))
    assert METHODS["xconv"].remark(model, many) == (
        "1 of 2 conv modules are exact: 1 × the sketch would be no smaller than the input: exact "
        "gradient; there are no relu modules (calls of functions are not seen)"
    )


def test_exact_has_nothing_to_remark() -> None:
    assert METHODS["exact"].remark(plain(), Configuration("own")) == ""
