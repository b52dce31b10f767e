"""A dozen of torchvision's networks, one of each kind, converted, trained and reverted.

``python -m benchmarks.all_models`` does the same with all of them.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import all_models, model_check
from benchmarks.model_check import CheckFailed, check
from xconv_bench.models import find
from xconv_bench.models.ddpm import DiffusionUNet

DOZEN = [
    ("alexnet", 63),
    ("convnext_tiny", 32),
    ("densenet121", 32),
    ("efficientnet_b0", 64),
    ("googlenet", 64),
    ("lraspp_mobilenet_v3_large", 64),
    ("mobilenet_v2", 64),
    ("mobilenet_v3_small", 64),
    ("regnet_x_400mf", 64),
    ("resnet18", 64),
    ("shufflenet_v2_x0_5", 64),
    ("squeezenet1_0", 64),
]


@pytest.mark.parametrize(("name", "image_size"), DOZEN, ids=[name for name, _ in DOZEN])
def test_nothing_is_lost_on_the_way(name: str, image_size: int) -> None:
    check(find(name), image_size)


def change_weights(model: nn.Module, **_: Any) -> nn.Module:
    with torch.no_grad():
        next(model.parameters()).add_(1)
    return model


def change_training(model: nn.Module, **_: Any) -> nn.Module:
    model.register_forward_hook(lambda m, _, output: output * (2 if m.training else 1))
    return model


def cut_gradients(model: nn.Module, **_: Any) -> nn.Module:
    next(model.parameters()).register_hook(lambda gradient: gradient / 0)
    return model


def test_a_network_is_examined_again_beside_the_rows_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for options in (["paper/cifar", "paper/mnist"], ["paper/cifar"], ["paper/cifar", "--resume"]):
        monkeypatch.setattr(sys, "argv", ["all_models", *options, "--output", str(tmp_path)])
        assert all_models.main() == 0
    rows = all_models.read(tmp_path)
    assert [row["model"] for row in rows] == ["paper/cifar", "paper/mnist"]
    # The first convolution's input is the batch; nothing but convolutions and ReLUs is counted.
    assert (rows[0]["convolutions"], rows[0]["convolutions_swapped"]) == (4, 3)
    assert (rows[0]["relus"], rows[0]["left"]) == (4, "1 × its input is the batch")


def test_networks_of_several_inputs_are_checked() -> None:
    small = partial(DiffusionUNet, width=32, factors=(1,), blocks=1)
    check(replace(find("paper/ddpm"), make=small), 16)


@pytest.mark.parametrize(
    ("step", "broken", "said"),
    [
        ("convert", change_weights, "other outputs once converted"),
        ("convert", change_training, "another loss in training"),
        ("convert", cut_gradients, "the gradient of 0.weight is not finite"),
        ("revert", lambda model: model, "other classes once reverted"),
    ],
)
def test_what_is_lost_is_found(
    step: str, broken: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_check, step, broken)
    with pytest.raises(CheckFailed, match=said):
        check(find("paper/cifar"), 32)
