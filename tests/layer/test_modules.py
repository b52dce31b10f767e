"""The layers are torch's own in everything but their weight gradient."""

import inspect

import pytest
import torch
from layer_cases import CONV2D, KINDS, Kind, assert_same, gradients, how, images, small_network
from torch import Tensor, nn

from xconv import XConv1d, XConv2d, XConvTranspose2d, convert
from xconv.modules import set_probing
from xconv.probing import Probing
from xconv.schemes import SCHEMES

TWO_DIMENSIONAL = [kind for kind in KINDS if len(kind.pixels) == 2]
PADDING_MODES = ["zeros", "reflect", "replicate", "circular"]

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
all_kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


def backward(layer: nn.Module, input: Tensor) -> tuple[Tensor, Tensor | None]:
    """The output, and the gradient of the input, for one and the same output gradient."""
    input = input.clone().requires_grad_()
    torch.manual_seed(0)
    output = layer(input)
    output.backward(torch.linspace(-1, 1, output.numel()).view_as(output).to(output.dtype))
    return output, input.grad


@all_kinds
def test_takes_torch_s_arguments_and_is_torch_s_class(kind: Kind) -> None:
    arguments = list(inspect.signature(kind.exact).parameters)
    values = {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "padding_mode": "zeros"}
    values |= {"stride": 2, "padding": 1, "dilation": 2, "groups": 2, "bias": False}
    values |= {"output_padding": 1, "device": "cpu", "dtype": torch.float64}
    positional = [values[name] for name in arguments]
    exact, ours = kind.exact(*positional), kind.ours(*positional, probes=3, scheme="multi")
    assert isinstance(ours, kind.exact)
    theirs = {k: v for k, v in vars(exact).items() if not k.startswith("_")}
    assert {k: v for k, v in vars(ours).items() if k in theirs} == theirs
    assert ours._xconv.probing == Probing(3, "multi")


@all_kinds
def test_initialisation_and_state_are_torch_s(kind: Kind) -> None:
    torch.manual_seed(3)
    exact = kind.exact(4, 6, 3)
    after_exact = torch.get_rng_state()
    torch.manual_seed(3)
    ours = kind.ours(4, 6, 3)
    assert torch.equal(torch.get_rng_state(), after_exact)
    assert_same(ours.state_dict(), exact.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in exact.named_parameters()]
    assert list(ours.named_buffers()) == []


@all_kinds
@every_scheme
def test_all_but_the_weight_gradient_is_bit_for_bit_torch_s(scheme: str, kind: Kind) -> None:
    exact, ours = kind.pair(4, 6, 3, stride=2, padding=1, scheme=scheme)
    x = kind.images()
    expected, actual = backward(exact, x), backward(ours, x)
    assert not ours._xconv.falls_back
    assert torch.equal(actual[0], expected[0])
    assert torch.equal(actual[1], expected[1])
    torch.testing.assert_close(ours.bias.grad, exact.bias.grad)
    assert ours.weight.grad.shape == exact.weight.grad.shape
    assert not torch.allclose(ours.weight.grad, exact.weight.grad)


@all_kinds
def test_without_probes_it_is_the_exact_layer(kind: Kind) -> None:
    exact, ours = kind.pair(4, 6, 3, probes=0, padding=1)
    x = kind.images()
    before = torch.random.manual_seed(0).get_state()
    assert_same(gradients(ours, x), gradients(exact, x))
    assert torch.equal(torch.get_rng_state(), before)


def test_without_probes_second_derivatives_exist() -> None:
    _, ours = CONV2D.pair(4, 6, 3, probes=0)
    (gradient,) = torch.autograd.grad(
        ours(CONV2D.images()).square().sum(), ours.weight, create_graph=True
    )
    gradient.sum().backward()
    assert ours.weight.grad is not None


@all_kinds
@every_scheme
def test_one_image_without_a_batch_dimension(scheme: str, kind: Kind) -> None:
    _, ours = kind.pair(4, 6, 3, padding=1, scheme=scheme)
    x = kind.images(1)
    batched, one = gradients(ours, x), gradients(ours, x[0])
    assert ours(x[0]).shape == ours(x).shape[1:]
    assert_same(one, batched)


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("padding", [0, 1, (2, 1), "same", "valid"], ids=str)
@every_scheme
def test_padding_modes(scheme: str, mode: str, padding: int | tuple[int, int] | str) -> None:
    exact, ours = CONV2D.pair(4, 6, (3, 4), padding=padding, padding_mode=mode, scheme=scheme)
    x = CONV2D.images()
    expected, actual = backward(exact, x), backward(ours, x)
    assert torch.equal(actual[0], expected[0])
    torch.testing.assert_close(actual[1], expected[1])
    assert not ours._xconv.falls_back


@pytest.mark.parametrize("size", [(18, 22), (19, 23), [2, 6, 18, 23]], ids=str)
def test_output_size_of_a_transposed_layer(size: tuple[int, ...]) -> None:
    exact, ours = KINDS[4].pair(4, 6, 4, stride=2, padding=1)
    x = KINDS[4].images()
    assert torch.equal(ours(x, output_size=size), exact(x, output_size=size))
    assert gradients(ours, x, run=lambda x: ours(x, output_size=size))["weight"].any()


def test_arguments_of_one_element_stand_for_every_dimension() -> None:
    exact, ours = CONV2D.pair(4, 6, 3, stride=(2,), padding=(1,), dilation=(2,))
    x = CONV2D.images()
    assert torch.equal(ours(x), exact(x))


@all_kinds
@pytest.mark.parametrize("scheme", ["independent", "spectral", "sampling"])
def test_inputs_that_are_not_contiguous(scheme: str, kind: Kind) -> None:
    """Schemes whose random numbers do not follow the order of pixels and channels in memory."""
    _, ours = kind.pair(4, 6, 3, padding=1, dtype=torch.float64, scheme=scheme)
    x = kind.images(dtype=torch.float64)
    expected = gradients(ours, x)
    strided = torch.stack([x, torch.zeros_like(x)], dim=-1)[..., 0]
    turned = x.transpose(1, -1).contiguous().transpose(1, -1)
    assert not strided.is_contiguous() and not turned.is_contiguous()
    for view in (strided, turned):
        actual = gradients(ours, view)
        for name in expected:
            torch.testing.assert_close(actual[name], expected[name])


@pytest.mark.parametrize("kind", TWO_DIMENSIONAL, ids=str)
@every_scheme
def test_an_empty_batch_trains(scheme: str, kind: Kind) -> None:
    exact, ours = kind.pair(4, 6, 3, scheme=scheme)
    x = kind.images(0)
    assert ours(x).shape == exact(x).shape
    assert_same(gradients(ours, x), gradients(exact, x))


@pytest.mark.parametrize(("probes", "expected"), [(97, False), (98, True), (200, True)])
def test_keeps_the_input_where_the_sketch_would_be_no_smaller(probes: int, expected: bool) -> None:
    exact, ours = CONV2D.pair(4, 6, 3, probes=probes)
    x = CONV2D.images()  # 99 pixels, and a mean beside the probes
    is_exact = torch.equal(gradients(ours, x)["weight"], gradients(exact, x)["weight"])
    assert is_exact == expected
    assert bool(ours._xconv.falls_back) == expected
    assert ("falls back" in repr(ours)) == expected


@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
def test_complex_layers_are_exact(frozen: bool) -> None:
    exact, ours = CONV2D.pair(4, 6, 3, dtype=torch.complex64)
    grads = []
    for layer in (exact, ours):
        layer.weight.requires_grad_(not frozen)
        x = CONV2D.images(dtype=torch.complex64).requires_grad_()
        layer(x).abs().sum().backward()
        grads.append((x.grad, layer.weight.grad))
    torch.testing.assert_close(*grads, rtol=0, atol=0)


def test_what_it_prints() -> None:
    plain = XConv2d(3, 8, 3, padding=1, probes=4)
    assert repr(plain) == (
        "XConv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), "
        "probes=4, scheme=independent)"
    )
    unusual = XConv1d(3, 8, 3, scheme="multi", distribution="gaussian")
    assert repr(unusual).endswith("probes=8, scheme=multi, distribution=gaussian)")


@pytest.mark.parametrize("layer", [XConv2d(4, 4, 3), XConvTranspose2d(4, 4, 3)], ids=repr)
def test_probes_may_change_between_calls(layer: XConv2d | XConvTranspose2d) -> None:
    x = CONV2D.images()
    few = gradients(layer, x)["weight"]
    set_probing(layer, 16, "multi", "gaussian")
    assert not torch.equal(gradients(layer, x)["weight"], few)
    with pytest.raises(ValueError, match="-1"):
        set_probing(layer, -1, "multi", "gaussian")
    assert layer._xconv.probing.probes == 16


@every_scheme
def test_on_the_meta_device_it_has_shapes_and_no_numbers(scheme: str) -> None:
    model = convert(small_network(), first="compressed", **how(scheme)).to("meta")
    output = model(torch.empty(2, 3, 16, 16, device="meta"))
    output.sum().backward()
    assert output.shape == (2, 5)
    assert all(p.grad is not None and p.grad.is_meta for p in model.parameters())


def test_in_place_activations_behind_a_layer() -> None:
    model = convert(small_network(), compress=["conv"])
    inplace = convert(small_network(lambda: nn.ReLU(inplace=True)), compress=["conv"])
    assert_same(gradients(inplace, images()), gradients(model, images()))
