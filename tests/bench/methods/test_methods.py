"""A method turns a model into its own form, says which settings it reads, or says why it cannot."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from own_networks import perceptron, plain
from torch import nn

from xconv import BitReLU, XConv2d, convert
from xconv.conversion import usual_allotment as allotment_of_the_layer
from xconv.probing import Probing
from xconv.schemes import SCHEMES
from xconv.state import state_of
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported, UsageError
from xconv_bench.knobs import usual_allotment
from xconv_bench.methods import METHODS, find_method
from xconv_bench.plans import label_of

PROBED = Configuration("own", "xconv", scheme="multi", probes=5, compress="conv,relu")


@pytest.mark.parametrize("name", METHODS)
def test_what_every_method_keeps_to(name: str) -> None:
    method = find_method(name)
    assert method.name == name
    assert set(method.knobs) <= {field.name for field in fields(Configuration)}


def test_exact_changes_nothing() -> None:
    model = plain()
    before = list(map(type, model))
    assert find_method("exact").apply(model, Configuration("own")) is model
    assert list(map(type, model)) == before
    assert find_method("exact").knobs == ()


def test_xconv_swaps_what_the_configuration_says() -> None:
    model = find_method("xconv").apply(plain(), PROBED)
    assert [type(m) for m in model[:4]] == [XConv2d, BitReLU, XConv2d, BitReLU]
    assert state_of(model[0]).probing == Probing(5, "multi", "rademacher")
    gaussian = find_method("xconv").apply(plain(), replace(PROBED, distribution="gaussian"))
    assert state_of(gaussian[0]).probing.distribution == "gaussian"


@pytest.mark.parametrize(
    ("compress", "kinds"), [("conv", [XConv2d, nn.ReLU]), ("relu", [nn.Conv2d, BitReLU])]
)
def test_xconv_swaps_the_families_that_it_is_told(compress: str, kinds: list[type]) -> None:
    knobs = find_method("xconv").settle({**KNOBS, "compress": compress})
    model = find_method("xconv").apply(plain(), Configuration("own", "xconv", **knobs))
    assert [type(m) for m in model[:2]] == kinds


@pytest.mark.parametrize("name", ["xconv", "quantized", "rad-sampling"])
def test_normalisations_keep_the_bits_that_they_are_told(name: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    find_method(name).apply(model, Configuration("own", name, compress="norm", norm_bits=2))
    assert type(model[0]) is nn.Conv2d and state_of(model[1]).norm_bits == 2


def test_xconv_needs_something_to_swap() -> None:
    with pytest.raises(Unsupported, match=r"^own has no module that xconv can swap; it compresses"):
        find_method("xconv").apply(perceptron(), PROBED)
    with pytest.raises(Unsupported, match="it compresses relu modules"):
        relu_alone = Configuration("own", "xconv", compress="relu")
        find_method("xconv").apply(nn.Sequential(nn.Conv2d(1, 1, 1)), relu_alone)


KNOBS = {
    "scheme": "multi", "probes": 8, "distribution": "gaussian", "bits": None, "keep": 0.1,
    "compress": "conv,relu", "first": "exact", "allot": "network", "norm_bits": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "dropped"),
    [
        ({}, {"keep", "norm_bits"}),
        ({"compress": "relu"}, {*KNOBS} - {"compress", "bits"}),
        ({"compress": "relu,norm"}, {*KNOBS} - {"compress", "bits", "norm_bits"}),
        ({"compress": "norm,linear"}, {"keep"}),
        (
            {"probes": 0},
            {"scheme", "distribution", "keep", "first", "allot", "norm_bits"},
        ),
        ({"scheme": "spectral", "bits": 0.25}, {"probes", "distribution", "keep", "norm_bits"}),
        ({"scheme": "quantized", "bits": 4}, {"probes", "distribution", "keep", "norm_bits"}),
        ({"scheme": "sampling"}, {"probes", "distribution", "norm_bits"}),
    ],
)
def test_settings_without_effect_are_dropped(given: dict, dropped: set[str]) -> None:
    knobs = {**KNOBS, **given}
    assert find_method("xconv").settle(knobs) == {**knobs, **dict.fromkeys(dropped)}
    assert knobs == {**KNOBS, **given}


@pytest.mark.parametrize(
    ("scheme", "dial", "default"), [("spectral", "bits", 1), ("quantized", "bits", 2)]
)
def test_a_scheme_has_its_own_default(scheme: str, dial: str, default: float) -> None:
    assert find_method("xconv").settle({**KNOBS, "scheme": scheme})[dial] == default


def test_a_plan_says_all(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[layers.0]\nscheme = "spectral"\nbits = 2\n')
    label = label_of(path)
    knobs = find_method("xconv").settle({**KNOBS, "plan": label})
    assert {name: value for name, value in knobs.items() if value is not None} == {"plan": label}
    assert find_method("xconv").takes({**KNOBS, "scheme": "quantized", "bits": 3, "plan": label})
    model = find_method("xconv").apply(plain(), Configuration("own", "xconv", **knobs))
    assert [type(m) for m in model[:3]] == [XConv2d, nn.ReLU, nn.Conv2d]
    path.write_text("")
    with pytest.raises(UsageError, match="was changed meanwhile"):
        find_method("xconv").apply(plain(), Configuration("own", "xconv", **knobs))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_usual_allotment_is_that_of_the_layer(scheme: str) -> None:
    assert usual_allotment({"scheme": scheme}) == allotment_of_the_layer(scheme)


def test_a_scheme_takes_the_values_that_it_can_have() -> None:
    takes = {
        scheme: [bits for bits in (0.25, 1, 2, 3, 9) if find_method("xconv").takes(
            {**KNOBS, "scheme": scheme, "bits": bits})]
        for scheme in ("spectral", "quantized")
    }  # fmt: skip
    assert takes == {"spectral": [0.25, 1, 2, 3], "quantized": [1, 2]}
    quantized = find_method("quantized")
    assert quantized.takes({"bits": 4}) and not quantized.takes({"bits": 0.5})


NAMES = {
    "quantized": ({"bits": 4.0}, Probing(scheme="quantized", bits=4.0)),
    "rad-sampling": ({"keep": 0.3}, Probing(scheme="sampling", keep=0.3)),
}


@pytest.mark.parametrize("name", NAMES)
def test_methods_of_other_papers_are_names_for_the_layer(name: str) -> None:
    """Their settings are named as ever."""
    knobs, probing = NAMES[name]
    cell = Configuration("own", name, **knobs, compress="conv,relu", first="compressed")
    model = find_method(name).apply(plain(), cell)
    assert [type(m) for m in model[:4]] == [XConv2d, BitReLU, XConv2d, BitReLU]
    states = [state_of(model[i]) for i in (0, 2)]
    assert [(state.probing, state.is_first) for state in states] == 2 * [(probing, False)]
    nothing = {**dict.fromkeys(find_method(name).knobs), "compress": "relu"}
    given = {**knobs, "compress": "relu", "first": "exact", "allot": None, "norm_bits": 4}
    assert find_method(name).settle(given) == nothing
    relu_alone = find_method(name).apply(plain(), Configuration("own", name, compress="relu"))
    assert [type(m) for m in relu_alone[:2]] == [nn.Conv2d, BitReLU]
    with pytest.raises(Unsupported, match=f"^own has no module that {name} can swap; it com"):
        find_method(name).apply(perceptron(), cell)


def test_the_row_of_a_network_says_what_is_left_exact() -> None:
    method = find_method("xconv")
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    model = method.apply(network, replace(PROBED, first="compressed"))
    model(torch.randn(2, 3, 8, 8))
    assert method.remark(model, PROBED) == ""
    convert(model, probes=5, skip=["0", "1", "2"], first="compressed")
    assert method.remark(model, PROBED) == (
        "2 of 2 convolutions are exact: skipped on request; "
        "1 of 1 relu module is exact: skipped on request"
    )
    convert(model, probes=5, skip=["2"], first="compressed")
    assert method.remark(model, PROBED) == "1 of 2 convolutions is exact: skipped on request"


@pytest.mark.parametrize("name", ["xconv", *NAMES])
def test_the_first_layer_is_exact_and_its_bytes_are_said(name: str) -> None:
    knobs = NAMES[name][0] if name in NAMES else {"scheme": "multi", "probes": 5}
    cell = Configuration("own", name, **knobs, compress="conv", first="exact")
    model = find_method(name).apply(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)), cell)
    model(torch.randn(2, 3, 16, 16))
    assert find_method(name).remark(model, cell) == (
        "1 of 2 convolutions is exact: its input is the batch (6 KiB), which is held anyway"
    )


def test_a_sketch_that_would_be_larger_is_remarked_upon() -> None:
    many = replace(PROBED, scheme="independent", probes=40, first="compressed")
    model = find_method("xconv").apply(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)), many)
    model(torch.randn(2, 3, 8, 8))
    assert find_method("xconv").remark(model, many) == (
        "1 of 2 convolutions is exact: the sketch would be no smaller than the input: exact "
        "gradient; there are no relu modules (calls of functions need functions in --compress)"
    )


def test_exact_has_nothing_to_remark() -> None:
    assert find_method("exact").remark(plain(), Configuration("own")) == ""
