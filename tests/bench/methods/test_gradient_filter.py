"""Filtered gradients: the paper's formulas pixel by pixel, what is exact, and what is left out."""

from math import ceil

import pytest
import torch
from compressed_cases import applied, cell_of, gradients, image, saved_bytes
from torch import Tensor, nn

from xconv_bench.methods import find_method


def by_hand(
    input: Tensor, weight: Tensor, delta: Tensor, patch: int, stride: int, groups: int
) -> tuple[Tensor, Tensor]:
    """Gradients of weight and input, patch by patch; ``delta`` is that of the output."""
    grad_weight, grad_input = torch.zeros_like(weight), torch.zeros_like(input)
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    side = patch * stride
    for group in range(groups):
        own, its = (slice(group * n, (group + 1) * n) for n in (outputs, inputs))
        for i in range(ceil(delta.shape[2] / patch)):
            for j in range(ceil(delta.shape[3] / patch)):
                at = (slice(i * patch, (i + 1) * patch), slice(j * patch, (j + 1) * patch))
                facing = (slice(i * side, (i + 1) * side), slice(j * side, (j + 1) * side))
                filtered = delta[:, own, *at].mean((2, 3))
                pixels = input[:, its, *facing]
                # Over as many places as the patch has: s² pixels of the input face each.
                sums = pixels.mean((2, 3)) * delta[0, 0][at].numel()
                grad_weight[own] += torch.einsum("bo,bc->oc", filtered, sums)[..., None, None]
                taps = weight[own].sum((2, 3)) / stride**2
                grad_input[:, its, *facing] = (filtered @ taps)[..., None, None]
    return grad_weight, grad_input


@pytest.mark.parametrize("patch", [1, 2, 4, 50])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "groups", "size"),
    [(3, 1, 1, 1, 8), (1, 1, 1, 1, 9), (5, 2, 1, 2, 16), (3, 2, 2, 4, 13), (3, 3, 1, 1, 10)],
)
def test_gradients_are_those_of_the_formulas(
    patch: int, kernel: int, stride: int, dilation: int, groups: int, size: int
) -> None:
    padding = dilation * (kernel // 2)
    layer = nn.Conv2d(
        4, 8, kernel, stride, padding, dilation, groups, dtype=torch.float64
    )  # fmt: skip
    input = image(3, 4, size, size).double().requires_grad_()
    delta = image(*layer(input).shape, seed=2).double()
    other = applied(nn.Sequential(layer), "gradient-filter", patch=patch, compress="conv")
    found_weight, found_bias = gradients(other, input, delta)
    assert input.grad is not None
    weight, grad_input = by_hand(
        input.detach(), layer.weight.detach(), delta, patch, stride, groups
    )
    if patch * stride == 1:  # nothing to filter: exact
        weight = gradients(layer, input.detach().requires_grad_(), delta)[0]
    else:
        assert input.grad.allclose(grad_input)
        assert found_weight.equal(found_weight[:, :, :1, :1].expand_as(found_weight))
    assert found_weight.allclose(weight)
    assert found_bias.allclose(delta.sum((0, 2, 3)))


def test_gradients_that_are_constant_over_patches_are_exact_for_single_pixels() -> None:
    model = nn.Sequential(nn.Conv2d(4, 6, 1))
    other = applied(model, "gradient-filter", patch=4, compress="conv")
    delta = image(2, 6, 3, 3).repeat_interleave(4, 2).repeat_interleave(4, 3)
    inputs = [image(2, 4, 12, 12).requires_grad_() for _ in range(2)]
    found, exact = gradients(other, inputs[0], delta), gradients(model, inputs[1], delta)
    for one, two in zip([*found, inputs[0].grad], [*exact, inputs[1].grad], strict=True):
        assert one is not None and two is not None and one.allclose(two, atol=1e-4)


@pytest.mark.parametrize(("patch", "stride", "share"), [(2, 1, 4), (4, 1, 16), (2, 2, 16)])
def test_bytes_of_an_input(patch: int, stride: int, share: int) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 3, stride, padding=1))
    batch = image(4, 3, 32, 32)
    exact = saved_bytes(model, batch)
    assert exact == 4 * (4 * 8 * 32 * 32)
    for dtype in (torch.float32, torch.bfloat16):
        other = applied(model, "gradient-filter", patch=patch, compress="conv").to(dtype)
        kept = saved_bytes(other, batch.to(dtype))
        assert kept == exact // share * dtype.itemsize // 4


def test_outputs_are_exact_and_earlier_layers_are_not() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding="same"))
    other = applied(model, "gradient-filter", compress="conv")
    batch = image(4, 3, 16, 16)
    assert other(batch).equal(model(batch))
    errors = [
        float((one - two).norm() / two.norm())
        for one, two in zip(gradients(other, batch), gradients(model, batch), strict=True)
    ]
    assert errors[0] > 0.1 and errors[2] > 0.1 and errors[3] < 1e-5


def test_half_precision_sums_in_single() -> None:
    """Many patches, all of one sign: a running sum in bfloat16 would stand still."""
    layer = nn.Conv2d(1, 1, 1)
    other = applied(nn.Sequential(layer), "gradient-filter", patch=2, compress="conv").bfloat16()
    input = torch.ones(4, 1, 64, 64, dtype=torch.bfloat16).requires_grad_()
    found = gradients(other, input, torch.ones(4, 1, 64, 64, dtype=torch.bfloat16))
    assert found[0].item() == 4 * 64 * 64


def test_what_is_left_exact_is_said() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, 2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(4, 4, 3),
        nn.Flatten(2),
        nn.Conv1d(4, 4, 3),
    )
    cell = cell_of("gradient-filter", compress="conv")
    other = applied(model, "gradient-filter", compress="conv")
    batch = image(2, 3, 8, 8)
    assert all(map(torch.equal, gradients(other, batch), gradients(model, batch)))
    said = find_method("gradient-filter").remark(other, cell)
    assert said.startswith("biased, gradients of inputs too: what varies within a patch is lost; ")
    reasons = said.partition("6 of 6 convolutions are exact: ")[2].split(", 1 × ")
    assert set(reasons) == {
        "1 × its input needs no gradient (the batch, which is held anyway): exact gradient",
        "padding 0 is not that of a centred kernel",
        "a kernel of even size has no middle",
        "padding mode reflect",
        "ConvTranspose2d is no 2d convolution",
        "Conv1d is no 2d convolution",
    }
