"""Hooks that keep saved tensors smaller, below and above other hooks."""

import gc
import weakref

import pytest
import torch
from compressed_cases import applied, gradients, image
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from xconv.kept import KeptMeter
from xconv.layout import Layout
from xconv_bench.errors import UsageError
from xconv_bench.methods import find_method
from xconv_bench.methods.smaller import KeptSmaller, Store


class Halved(Store):
    """Keeps numbers in 16 bits, and remembers how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def why_exact(self, layout: Layout) -> str:
        return ""

    def keep(self, tensor: Tensor) -> tuple[Tensor, ...]:
        self.asked += 1
        return (tensor.half(),)

    def restore(self, kept: tuple[Tensor, ...], layout: Layout) -> Tensor:
        return kept[0].to(layout.dtype)


def test_hooks_around_see_what_is_kept() -> None:
    """And of what is not chosen, the tensor itself."""
    first, second = (image(64, 4, seed=seed).requires_grad_() for seed in (1, 2))
    for chosen, kept in ((True, 2 * 512), (False, 2 * 1024)):
        with KeptMeter([]) as meter, KeptSmaller(Halved(), lambda _, chosen=chosen: chosen):
            output = first * second
        assert meter.total_bytes == kept
        output.sum().backward()
        assert meter.total_bytes == 0
        expected = second.half().float() if chosen else second
        assert first.grad is not None and first.grad.equal(expected)
        first.grad = second.grad = None


def test_hooks_around_may_take_it_elsewhere() -> None:
    taken: list[Tensor] = []

    def take(tensor: Tensor) -> int:
        taken.append(tensor)
        return len(taken) - 1

    leaf = image(8, 8).requires_grad_()
    with saved_tensors_hooks(take, taken.__getitem__), KeptSmaller(Halved(), lambda _: True):
        output = leaf.exp()
    assert [tensor.dtype for tensor in taken] == [torch.float16]
    taken[0] = torch.zeros_like(taken[0])
    output.sum().backward()
    assert leaf.grad is not None and not leaf.grad.any()


def test_a_tensor_that_several_operations_save_is_kept_once() -> None:
    """Until its numbers change: then it is another."""
    store, leaf = Halved(), image(8, 8).requires_grad_()
    with KeptSmaller(store, lambda _: True):
        exponential = leaf.exp()  # keeps its output
        outputs = [exponential * 2.0, exponential.square(), exponential.sin()]
        assert store.asked == 1
        other = exponential.detach().clone().requires_grad_()
        same = [other.square(), other.square()]
        with torch.no_grad():
            other.add_(1)
        same.append(other.square())
        assert store.asked == 3
    del outputs, same


def test_nothing_is_kept_longer_than_the_graph() -> None:
    leaf = image(16, 16).requires_grad_()
    kept: list[weakref.ref[Tensor]] = []

    class Watched(Halved):
        def keep(self, tensor: Tensor) -> tuple[Tensor, ...]:
            (half,) = super().keep(tensor)
            kept.append(weakref.ref(half.untyped_storage()))  # type: ignore[arg-type]
            return (half,)

    gc.disable()  # a circle would hide behind the collector
    try:
        with KeptSmaller(Watched(), lambda _: True):
            output = leaf.exp().sin()
        assert [each() is not None for each in kept] == [True]
        output.sum().backward(retain_graph=True)
        assert [each() is not None for each in kept] == [True]
        output.sum().backward()
        assert [each() is not None for each in kept] == [False]
    finally:
        gc.enable()


def test_a_second_backward_pass_finds_the_same() -> None:
    leaf = image(16, 16).requires_grad_()
    with KeptSmaller(Halved(), lambda _: True):
        output = leaf.exp().sin().sum()
    one, two = (torch.autograd.grad(output, leaf, retain_graph=True)[0] for _ in range(2))
    assert one.equal(two)


def test_second_derivatives_go_through_what_is_kept() -> None:
    leaf = image(16, 16).double().requires_grad_()
    with KeptSmaller(Halved(), lambda _: True):
        output = (leaf * leaf * leaf).sum()
    (first,) = torch.autograd.grad(output, leaf, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), leaf)
    assert second.allclose(6 * leaf, rtol=2e-3)


@pytest.mark.parametrize("method", ["dual-precision", "low-rank", "gradient-filter"])
def test_a_checkpoint_around_computes_it_again(method: str) -> None:
    """The same gradients as without, and nothing kept but what enters."""
    block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 4, 1))
    model = applied(block, method, compress="conv")
    input = image(4, 4, 16, 16).requires_grad_()
    torch.manual_seed(5)
    expected = gradients(model, input)

    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = model

        def forward(self, features: Tensor) -> Tensor:
            output: Tensor = checkpoint(self.block, features, use_reentrant=False)
            return output

    torch.manual_seed(5)
    with KeptMeter(model.parameters()) as meter:
        output = Checkpointed()(input)
    assert meter.total_bytes == input.nbytes
    del output
    torch.manual_seed(5)
    for one, two in zip(gradients(Checkpointed(), input), expected, strict=True):
        assert one.equal(two)
    combined = find_method(f"{method}+checkpoint")
    assert set(find_method(method).knobs) < set(combined.knobs)


def test_what_sees_all_that_is_saved_goes_with_nothing() -> None:
    with pytest.raises(UsageError, match="saved-tensors and checkpoint do not compose"):
        find_method("saved-tensors+checkpoint")
