"""The error of weight gradients, and dropout masks that do not disturb it."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from xconv import convert
from xconv_bench.meters.gradient import SameRandomNumbers, relative_error, weight_gradients


def test_relative_error_by_hand() -> None:
    exact = {"a": torch.tensor([3.0]), "b": torch.tensor([[0.0, 4.0]])}
    gradients = {"a": torch.tensor([3.0]), "b": torch.tensor([[1.5, 2.0]])}
    assert relative_error(gradients, exact) == pytest.approx(2.5 / 5)
    assert relative_error(exact, exact) == 0.0


def test_half_precision_does_not_overflow() -> None:
    exact = {"a": torch.full((4,), 3e4, dtype=torch.float16)}
    gradients = {"a": torch.full((4,), -3e4, dtype=torch.float16)}
    assert relative_error(gradients, exact) == pytest.approx(2.0)


def test_nothing_to_compare() -> None:
    zero = {"a": torch.zeros(3)}
    assert relative_error({}, {}) is None
    assert relative_error(zero, zero) is None
    with pytest.raises(KeyError, match="a"):
        relative_error({}, {"a": torch.ones(3)})


def test_gradients_of_convolutions_that_have_one() -> None:
    model = nn.ModuleDict(
        {
            "plain": nn.Conv2d(1, 1, 1),
            "tied": nn.Conv2d(1, 1, 1),
            "probed": convert(nn.Conv3d(1, 1, 1)),
            "transposed": nn.ConvTranspose1d(1, 1, 1),
            "frozen": nn.Conv2d(1, 1, 1).requires_grad_(False),
            "unused": nn.Conv2d(1, 1, 1),
            "linear": nn.Linear(1, 1),
        }
    )
    model["tied"].weight = model["plain"].weight
    for name in ("plain", "probed", "transposed", "linear"):
        for parameter in model[name].parameters():
            parameter.grad = torch.ones_like(parameter)
    assert list(weight_gradients(model)) == ["plain.weight", "probed.weight", "transposed.weight"]


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.Dropout2d(0.5),
        nn.Conv2d(8, 2, 3),
    )


def gradients(model: nn.Module, same_numbers: bool = True) -> dict[str, Tensor]:
    image = torch.randn(4, 2, 10, 10, generator=torch.Generator().manual_seed(2))
    if same_numbers:
        with SameRandomNumbers(3):
            model(image).square().sum().backward()
    else:
        model(image).square().sum().backward()
    return weight_gradients(model)


def draws_seeds(model: nn.Module) -> nn.Module:
    """The exact network, drawing seeds as probed layers do."""
    for module in model:
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *_: torch.randint(2**62, ()) and None)
    return model


def test_seeds_drawn_in_between_change_no_mask() -> None:
    exact = gradients(network())
    assert relative_error(gradients(draws_seeds(network())), exact) == 0.0
    assert relative_error(gradients(network()), exact) == 0.0


def test_without_it_they_do() -> None:
    torch.manual_seed(5)
    exact = gradients(network(), same_numbers=False)
    torch.manual_seed(5)
    other = gradients(draws_seeds(network()), same_numbers=False)
    error = relative_error(other, exact)
    assert error is not None and error > 0.1


def test_the_error_of_many_probes_is_not_that_of_a_mask() -> None:
    exact = gradients(network())
    # So many that layers fall back to the exact gradient: whatever is left is due to the masks.
    complete = gradients(convert(network(), probes=10_000))
    error = relative_error(complete, exact)
    assert error is not None and error < 1e-6
    few = relative_error(gradients(convert(network(), probes=4)), exact)
    assert few is not None and few > 0.1


def test_each_mask_is_another() -> None:
    ones = torch.ones(1000)
    with SameRandomNumbers(0):
        first, second = F.dropout(ones), F.dropout(ones)
    with SameRandomNumbers(0):
        again = F.dropout(ones)
    with SameRandomNumbers(1000):
        elsewhere = F.dropout(ones)
    assert first.equal(again)
    assert not first.equal(second)
    assert not first.equal(elsewhere)


def test_seeds_of_probes_are_let_through_and_differ() -> None:
    torch.manual_seed(7)
    expected = [torch.randint(2**62, ()) for _ in range(3)]
    torch.manual_seed(7)
    with SameRandomNumbers(0):
        drawn = []
        for _ in range(3):
            F.dropout(torch.ones(10))
            drawn.append(torch.randint(2**62, ()))
    assert drawn == expected


def test_two_methods_see_the_same_weights_and_another_seed_other_masks() -> None:
    model = network()
    exact = copy.deepcopy(gradients(model))
    model.zero_grad()
    image = torch.randn(4, 2, 10, 10, generator=torch.Generator().manual_seed(2))
    with SameRandomNumbers(99):
        model(image).square().sum().backward()
    error = relative_error(weight_gradients(model), exact)
    assert error is not None and error > 0.1
