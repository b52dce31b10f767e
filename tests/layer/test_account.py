"""``account`` tells what became of every module that can be swapped, as data and as a table."""

import pytest
import torch
from layer_cases import images, small_network
from torch import nn
from torch.nn.utils import parametrizations

from xconv import XConv2d, account, convert, revert


def reasons(model: nn.Module) -> dict[str, str]:
    return {entry.name: entry.reason for entry in account(model)}


def convolutions_and_relus() -> nn.Sequential:
    """No module of another family."""
    model = small_network()[:5]
    model[1] = nn.Identity()
    return model


def test_every_module_of_a_family_appears_once_in_order() -> None:
    model = small_network()
    kinds = {"0": "Conv2d", "1": "BatchNorm2d", "2": "ReLU", "3": "Conv2d", "4": "ReLU"}
    expected = {**kinds, "5": "AdaptiveAvgPool2d", "7": "Linear"}
    found = {entry.name: entry.kind for entry in account(model)}
    assert [item for item in found.items() if item[0] in expected] == list(expected.items())
    assert set(reasons(model).values()) == {"not converted"}


def test_several_inputs_go_in_a_tuple() -> None:
    with pytest.raises(TypeError, match=r"takes one example, and got 2: .* in a tuple"):
        account(small_network(), images(), images())


def test_all_of_them_when_all_are_compressed() -> None:
    model = convert(small_network(), compress="all", norm_bits=1)
    found = reasons(model)
    assert found["1"] == "normalised input in 1 bit an element"
    assert found["7"] == "quantized, 2 bits an element"
    model(images())
    assert "no larger than its weight" in reasons(model)["7"]
    assert [e.name for e in account(model).left if e.name in ("1", "7")] == ["7"]


def test_swapped_and_left_divide_the_entries() -> None:
    table = account(convert(convolutions_and_relus(), probes=2, scheme="multi", skip=["3"]))
    assert [entry.name for entry in table.swapped] == ["0", "2", "4"]
    assert [entry.name for entry in table.left] == ["3"]
    assert sorted([*table.swapped, *table.left], key=lambda e: e.name) == list(table)


def test_how_a_module_is_compressed() -> None:
    model = convert(convolutions_and_relus(), probes=2, scheme="multi", distribution="gaussian")
    assert reasons(model) == {
        "0": "2 gaussian probes, multi",
        "2": "one bit an element",
        "3": "2 gaussian probes, multi",
        "4": "one bit an element",
    }


def test_why_a_module_is_left() -> None:
    model = convolutions_and_relus()
    parametrizations.weight_norm(model[3])
    convert(model, skip=["2"], compress=["conv", "relu"], first="exact")
    assert reasons(model) == {
        "0": "spectral, 1 bit an element",
        "2": "skipped on request",
        "3": "parametrized weight",
        "4": "one bit an element",
    }
    convert(model, compress=["conv"])
    assert reasons(model)["4"] == "not converted"


def test_a_sketch_no_smaller_than_the_input_shows_after_a_call() -> None:
    model = convert(convolutions_and_relus(), probes=100, first="compressed")
    assert [entry.name for entry in account(model).left] == []
    model(images(side=8))
    assert [entry.name for entry in account(model).left] == ["0", "3"]
    assert "no smaller than the input" in reasons(model)["3"]
    model(images(side=16))
    assert account(model).left == []


def test_an_evaluation_tells_nothing_about_training() -> None:
    model = convert(convolutions_and_relus(), probes=100, first="compressed")
    model(images(side=16))
    with torch.no_grad():
        model(images(side=8))
    assert account(model).left == []


def test_probes_of_zero_are_no_compression() -> None:
    table = account(convert(convolutions_and_relus(), probes=0, compress=["conv"]))
    assert {e.reason for e in table if e.kind == "XConv2d"} == {"probes=0, the exact layer"}
    assert table.swapped == []


def test_layers_built_as_ours_count_as_swapped() -> None:
    (entry,) = account(XConv2d(3, 3, 3, probes=7))
    assert entry.swapped and entry.name == "" and "7" in entry.reason


def test_nothing_is_left_of_a_reverted_account() -> None:
    model = convert(convolutions_and_relus(), skip=["0"])
    assert set(reasons(revert(model)).values()) == {"not converted"}


def test_a_model_with_nothing_to_swap() -> None:
    table = account(nn.Bilinear(2, 2, 2))
    assert list(table) == []
    assert str(table).endswith("0 swapped, 0 left alone")


def test_the_printed_table() -> None:
    model = convert(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)), skip=["2"])
    assert str(account(model)) == "\n".join(
        [
            "module  class    swapped  how, or why not",
            "0       XConv2d  yes      spectral, 1 bit an element",
            "1       BitReLU  yes      one bit an element",
            "2       Conv2d   no       skipped on request",
            "2 swapped, 1 left alone",
        ]
    )
