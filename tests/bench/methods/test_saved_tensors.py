"""Whatever a network saves in a few bits: what is rounded, what is left, and the bytes of both."""

import pytest
import torch
from compressed_cases import applied, cell_of, gradients, image, saved_bytes
from torch import Tensor, nn

from xconv.layout import Layout
from xconv_bench.methods import find_method
from xconv_bench.methods.saved_tensors import LEAST_ELEMENTS, FewBits

BITS = (1, 2, 4, 8)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bytes_of_a_tensor(bits: int, dtype: torch.dtype) -> None:
    """``bits`` a number, 8 bytes for each group of 256 numbers, and a seed.

    The sigmoid is kept for itself and for the convolution, once.
    """
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Sigmoid(), nn.Conv2d(8, 4, 1)).to(dtype)
    numbers = 4 * 8 * 16 * 16
    kept = numbers * bits // 8 + 8 * numbers // 256 + 8
    batch = image(4, 3, 16, 16).to(dtype)
    assert saved_bytes(model, batch) == numbers * dtype.itemsize
    assert saved_bytes(applied(model, "saved-tensors", bits=bits), batch) == kept


def test_parameters_the_batch_and_small_tensors_are_left_alone() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(image(64, 32))
            self.register_buffer("mask", image(64, 32))

        def forward(self, rows: Tensor, *, by: Tensor) -> Tensor:
            few: Tensor = (rows[:, :3] @ self.weight[:3]).sin()  # 192 numbers, cosines
            return (rows @ self.weight) * self.mask[:6] * by[:, None] + few

    model = Scaled()
    rows, by = image(6, 64), image(6)
    expected = torch.autograd.grad(model(rows, by=by).square().sum(), model.weight)[0]
    other = applied(model, "saved-tensors", bits=1)
    found = torch.autograd.grad(other(rows, by=by).square().sum(), other.weight)[0]
    assert LEAST_ELEMENTS > 6 * 32 and found.equal(expected)


def test_numbers_that_are_repeated_are_not_written_out() -> None:
    class Repeated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(image(8))

        def forward(self, rows: Tensor) -> Tensor:
            repeated = (self.weight * 2).expand(512, 8)
            return repeated * repeated

    model, rows = Repeated(), image(1)
    assert saved_bytes(model, rows) == 32
    assert saved_bytes(applied(model, "saved-tensors"), rows) == 32


def test_whole_numbers_and_masks_are_left_alone() -> None:
    """A dropout, a lookup and a pooling's positions are read back as they are."""
    model = nn.Sequential(nn.Embedding(50, 64), nn.Dropout(0.5), nn.MaxPool1d(2))
    words = torch.arange(400).reshape(8, 50) % 50
    torch.manual_seed(1)
    expected = gradients(model, words)
    torch.manual_seed(1)
    # The dropout's mask is drawn before any seed.
    (found,) = gradients(applied(model, "saved-tensors", bits=8), words)
    assert found.equal(expected[0])


@pytest.mark.parametrize("shape", [(4096,), (64, 64), (2, 8, 16, 16), (2, 3, 4, 16, 16)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_a_tensor_of_any_shape_comes_back(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Each number within a level of what it was."""
    store, tensor = FewBits(8), image(*shape).to(dtype)
    if len(shape) == 4:
        tensor = tensor.to(memory_format=torch.channels_last)
    layout = Layout.of(tensor)
    restored = store.restore(store.keep(tensor), layout)
    assert restored.dtype == dtype and Layout.of(restored) == layout
    level = float(tensor.max() - tensor.min()) / 255
    assert 0 < float((restored - tensor).abs().max()) < 1.01 * level


def test_more_bits_are_more_exact() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3))
    batch = image(8, 3, 16, 16)
    exact = torch.cat([g.flatten() for g in gradients(model, batch)])
    errors = []
    for bits in BITS:
        torch.manual_seed(3)
        found = gradients(applied(model, "saved-tensors", bits=bits), batch)
        errors.append(float((torch.cat([g.flatten() for g in found]) - exact).norm()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.05 * float(exact.norm())


def test_zeros_stay_zeros() -> None:
    """A ReLU that reads its mask off its rounded output is wrong where small numbers become zero.

    It is never wrong where its input was not positive.
    """
    store, tensor = FewBits(2), image(64, 64).relu()
    restored = store.restore(store.keep(tensor), Layout.of(tensor))
    assert not restored[tensor == 0].any()
    assert 0.05 < float(((restored == 0) & (tensor > 0)).float().mean()) < 0.5


def test_outputs_and_statistics_are_the_exact_ones() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
    other = applied(model, "saved-tensors")
    batch = image(8, 3, 16, 16)
    assert other(batch).equal(model(batch))
    assert all(map(torch.equal, other.buffers(), model.buffers()))


def test_its_bits_and_what_its_row_says() -> None:
    method = find_method("saved-tensors")
    assert method.settle({"bits": None}) == {"bits": 2}
    assert [bits for bits in (0.5, 1, 2, 3, 4, 8) if method.takes({"bits": bits})] == list(BITS)
    said = method.remark(nn.ReLU(), cell_of("saved-tensors"))
    assert said.startswith("biased where a gradient is not linear")
