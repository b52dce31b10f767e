"""The first layer of a converted network stays exact where its input is the batch itself."""

from collections.abc import Callable

import pytest
import torch
from layer_cases import gradients, how, images, small_network
from torch import Tensor, nn

import xconv
from xconv import convert
from xconv.schemes import SCHEMES


def compressed(model: nn.Module) -> list[str]:
    """Names of the modules that kept less than torch's in their last call."""
    return [entry.name for entry in xconv.account(model).swapped]


def test_the_first_convolution_stays_exact_and_its_input_is_the_batch() -> None:
    model = convert(small_network())
    model(images())
    assert compressed(model) == ["2", "3", "4"]
    assert xconv.account(model)[0].reason == (
        f"its input is the batch ({images().nbytes // 1024} KiB), which is held anyway"
    )
    model(images().requires_grad_())
    assert compressed(model) == ["0", "2", "3", "4"]


def test_the_first_convolution_may_be_compressed() -> None:
    model = convert(small_network(), first="compressed")
    model(images())
    assert compressed(model) == ["0", "2", "3", "4"]
    with pytest.raises(ValueError, match="first must be 'exact' or 'compressed'; got False"):
        convert(small_network(), first=False)


def test_a_convolution_behind_a_frozen_one_is_compressed() -> None:
    """Its input needs no gradient, but nobody else holds it."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3).requires_grad_(False), nn.Conv2d(4, 4, 3))
    convert(model)(images())
    assert "1" in compressed(model)
    behind_normalization = nn.Sequential(
        nn.BatchNorm2d(3).requires_grad_(False), nn.Conv2d(3, 4, 3)
    )
    convert(behind_normalization)(images())
    assert compressed(behind_normalization) == ["1"]


def kinds_of_calls(model: nn.Module, layer: nn.Module, *inputs: Tensor) -> list[bool]:
    """Return whether each call of ``layer`` during one of ``model`` kept its input."""
    found: list[bool] = []
    handle = layer.register_forward_hook(lambda *_: found.append(bool(layer._xconv.falls_back)))
    model(*inputs)
    handle.remove()
    return found


class Siamese(nn.Module):
    """One convolution for both images, and once more for what came of them."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.shared(self.shared(left) - self.shared(right))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_call_of_the_first_convolution_is_seen_for_itself(scheme: str) -> None:
    model = convert(Siamese(), **how(scheme))
    calls = kinds_of_calls(model, model.shared, images(), images())
    assert calls == [True, True, False]
    model = convert(Siamese(), first="compressed", **how(scheme))
    assert kinds_of_calls(model, model.shared, images(), images()) == [False] * 3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_exact_first_gradient_is_torch_s_and_the_others_are_estimates(scheme: str) -> None:
    model, exact = convert(small_network(), **how(scheme)), small_network()
    actual, expected = gradients(model, images()), gradients(exact, images())
    followed = gradients(model, images().requires_grad_())
    assert not torch.allclose(actual["3.weight"], expected["3.weight"])
    assert not torch.allclose(followed["0.weight"], expected["0.weight"], rtol=1e-3)
    # Batch normalisation and ReLU behind it are exact, hence so is all that reaches it.
    torch.testing.assert_close(actual["0.weight"], expected["0.weight"])


@pytest.mark.parametrize(
    "before",
    [
        lambda: nn.Conv2d(3, 3, 3, padding=1).requires_grad_(False),
        lambda: nn.Linear(16, 16).requires_grad_(False),
        lambda: nn.BatchNorm2d(3, affine=True).requires_grad_(False),
    ],
    ids=["convolution", "linear", "normalisation"],
)
def test_behind_a_frozen_backbone_all_are_compressed(before: Callable[[], nn.Module]) -> None:
    model = convert(nn.Sequential(before(), nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)))
    model(images())
    assert {"1", "2"} <= set(compressed(model))


def test_the_first_one_behind_layers_without_parameters_is_exact() -> None:
    model = convert(nn.Sequential(nn.Identity(), nn.AvgPool2d(2), nn.Conv2d(3, 4, 3)))
    model(images())
    assert compressed(model) == []


def test_the_next_one_is_not_first_where_the_first_is_skipped() -> None:
    model = convert(small_network(), skip=["0"])
    model(images())
    assert compressed(model) == ["2", "3", "4"]
