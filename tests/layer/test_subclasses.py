"""Inputs of a class derived from torch.Tensor: the same gradients, and what torch makes of them."""

from typing import Any

import pytest
import torch
from layer_cases import Gradients, assert_same, gradients, images
from torch import Tensor, nn

import xconv


class Labelled(Tensor):
    """Carries a label through every function, and has a method of its own for ``new_empty``."""

    label = ""

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        result = super().__torch_function__(function, types, arguments, named or {})
        labels = [each.label for each in arguments if isinstance(each, Labelled)]
        if isinstance(result, Labelled) and labels:
            result.label = labels[0]
        return result

    def new_empty(self, size: tuple[int, ...]) -> Tensor:  # type: ignore[override]
        raise TypeError("knows no dtype")


def labelled(input: Tensor) -> Labelled:
    output = input.as_subclass(Labelled)
    output.label = "from the scanner"
    return output


def network(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *layers)


NETWORKS = {
    "convolution": network(nn.Conv2d(8, 8, 3)),
    "transposed": network(nn.ConvTranspose2d(8, 8, 3)),
    "norm": network(nn.BatchNorm2d(8)),
    "relu": network(nn.ReLU()),
    "overwriting": network(nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
    "activation": network(nn.GELU(), nn.PReLU()),
    "pooling": network(nn.MaxPool2d(2), nn.AvgPool2d(2)),
    "dropout": network(nn.Dropout(0.5)),
    "linear": network(nn.Flatten(0, 2), nn.Linear(16, 8)),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("scheme", [{}, {"probes": 4}], ids=["spectral", "probes"])
def test_gradients_are_those_of_plain_tensors(name: str, scheme: dict[str, int]) -> None:
    found: list[Gradients] = []
    for input in (images(4), labelled(images(4))):
        model = xconv.convert(NETWORKS[name], compress="all", first="compressed", **scheme)
        found.append(gradients(model, input))
    assert_same(found[1], found[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_class_stays_what_torch_makes_of_it(name: str) -> None:
    torchs = xconv.revert(NETWORKS[name])(labelled(images(4)))
    ours = xconv.convert(NETWORKS[name], compress="all")(labelled(images(4)))
    assert (type(ours), ours.label) == (type(torchs), torchs.label)
    assert (type(ours), ours.label) == (Labelled, "from the scanner")
