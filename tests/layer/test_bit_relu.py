"""BitReLU is torch.nn.ReLU, bit for bit, and keeps one bit an element; so are its relatives."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from geometries import DRAWN
from hypothesis import given, settings
from hypothesis import strategies as st
from saved_cases import (
    AWKWARD,
    DROPOUTS,
    FLOATS,
    STEPS,
    Saved,
    assert_same_bits,
    every_float,
    run,
)
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from xconv import BitReLU
from xconv.bits import pieces

INPUTS: dict[str, Callable[[], Tensor]] = {
    "awkward values": lambda: torch.tensor(AWKWARD),
    "scalar": lambda: torch.tensor(2.0),
    "negative scalar": lambda: torch.tensor(-2.0),
    "empty": lambda: torch.randn(0),
    "no images": lambda: torch.randn(0, 3, 4, 4),
    "seven": lambda: torch.randn(7),
    "eight": lambda: torch.randn(8),
    "nine": lambda: torch.randn(9),
    "matrix": lambda: torch.randn(5, 13),
    "images": lambda: torch.randn(2, 3, 5, 7),
    "channels last": lambda: torch.randn(2, 3, 5, 7).contiguous(memory_format=torch.channels_last),
    "channels last 3d": lambda: torch.randn(2, 3, 3, 5, 2).contiguous(
        memory_format=torch.channels_last_3d
    ),
    "sequence, channels last": lambda: torch.randn(2, 9, 5).transpose(1, 2),
    "transposed": lambda: torch.randn(9, 5).t(),
    "permuted": lambda: torch.randn(3, 5, 2, 7).permute(3, 1, 0, 2),
    "slice": lambda: torch.randn(4, 11)[:, 1::3],
    "odd offset": lambda: torch.randn(40)[3:27],
    "expanded": lambda: torch.randn(5, 1).expand(5, 6),
    "several pieces": lambda: torch.randn(2**19 + 11),
}
in_place_or_not = pytest.mark.parametrize("inplace", [False, True], ids=["copy", "inplace"])


@st.composite
def drawn_inputs(draw: Callable[..., Any]) -> Tensor:
    """Tensors of up to four dimensions, some transposed, some slices."""
    shape = draw(st.lists(st.integers(0, 7), max_size=4))
    dtype = draw(st.sampled_from(FLOATS))
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    tensor = tensor.permute(draw(st.permutations(range(len(shape)))))
    for dimension in range(len(shape)):
        tensor = tensor.narrow(dimension, 0, draw(st.integers(0, tensor.shape[dimension])))
    return tensor


def assert_torchs_in_one_bit(input: Tensor, inplace: bool) -> None:
    torch.manual_seed(0)
    output, gradient, found = run(nn.ReLU(inplace), input)
    ours, _, our_gradient = run(BitReLU(inplace), input, gradient)
    assert_same_bits(ours, output)
    assert_same_bits(our_gradient, found)
    assert ours.stride() == output.stride()
    saved: list[Tensor] = []
    with saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        BitReLU(inplace)(input.clone().requires_grad_() + 0)
    assert [t.untyped_storage().nbytes() for t in saved] == [-(-input.numel() // 8)]


@in_place_or_not
@pytest.mark.parametrize("make", INPUTS.values(), ids=INPUTS)
def test_it_is_torchs_in_one_bit_an_element(make: Callable[[], Tensor], inplace: bool) -> None:
    for dtype in FLOATS:
        torch.manual_seed(0)
        assert_torchs_in_one_bit(make().to(dtype), inplace)


@settings(DRAWN, max_examples=100)
@given(drawn_inputs(), st.booleans())
def test_so_it_is_for_any_input(input: Tensor, inplace: bool) -> None:
    assert_torchs_in_one_bit(input, inplace)


OF_ELEMENTS = STEPS | {name: DROPOUTS[name] for name in ("Dropout", "AlphaDropout")}


@pytest.mark.parametrize("case", OF_ELEMENTS.values(), ids=OF_ELEMENTS)
@every_float
def test_so_are_those_of_others_that_keep_a_bit(dtype: torch.dtype, case: Saved) -> None:
    exact, ours = case.pair()
    for name, make in INPUTS.items():
        torch.manual_seed(0)
        input = make().to(dtype)
        output, gradient, found = run(exact, input)
        our_output, _, our_gradient = run(ours, input, gradient)
        assert_same_bits(our_output, output)
        assert_same_bits(our_gradient, found)
        assert our_output.stride() == output.stride(), name


@every_float
@pytest.mark.parametrize("turn", [False, True], ids=["contiguous", "channels last"])
def test_a_gradient_that_lies_otherwise_than_the_output(turn: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    formats = torch.contiguous_format, torch.channels_last
    input = torch.randn(2, 3, 4, 5, dtype=dtype).contiguous(memory_format=formats[turn])
    gradient = torch.randn(2, 3, 4, 5, dtype=dtype).contiguous(memory_format=formats[not turn])
    _, _, theirs = run(nn.ReLU(), input, gradient)
    _, _, ours = run(BitReLU(), input, gradient)
    assert_same_bits(ours, theirs)
    assert_same_bits(run(BitReLU(), input, gradient[:1, :1].expand(2, 3, 4, 5))[2],
                     run(nn.ReLU(), input, gradient[:1, :1].expand(2, 3, 4, 5))[2])  # fmt: skip


def test_inplace_means_the_same_memory_and_a_new_version() -> None:
    input = torch.randn(3, 4, requires_grad=True) + 0
    address, version = input.data_ptr(), input._version
    output = BitReLU(inplace=True)(input)
    assert output.data_ptr() == address
    assert input._version > version
    assert torch.equal(input, output) and input.ge(0).all()
    with pytest.raises(RuntimeError, match="inplace operation"):
        squared = input.square()
        BitReLU(inplace=True)(input)
        squared.sum().backward()


def test_otherwise_the_input_is_left_alone() -> None:
    input = torch.randn(3, 4, requires_grad=True) + 0
    before, version = input.detach().clone(), input._version
    output = BitReLU()(input)
    assert output.data_ptr() != input.data_ptr()
    assert torch.equal(input, before) and input._version == version


def test_a_view_may_be_overwritten() -> None:
    """Half of an activation, in place, as networks with split branches do."""
    found = []
    for layer in (nn.ReLU(inplace=True), BitReLU(inplace=True)):
        torch.manual_seed(0)
        leaf = torch.randn(4, 6, requires_grad=True)
        whole = leaf * 2
        half = layer(whole[:, 1:4])
        (whole.square().sum() + half.sum()).backward()
        found.append(leaf.grad)
    assert_same_bits(found[1], found[0])


def leaf() -> Tensor:
    return torch.linspace(-1, 1, 12).view(3, 4).requires_grad_()


def view_without_gradients() -> Tensor:
    base = leaf() * 1
    with torch.no_grad():
        return base[1:]


PROTECTED: dict[str, Callable[[], Tensor]] = {
    "leaf": leaf,
    "view of a leaf": lambda: leaf()[1:],
    "view of a view": lambda: leaf().t()[:, 1:],
    "one of several views": lambda: (leaf() * 1).chunk(2)[0],
    "unbound": lambda: (leaf() * 1).unbind(1)[1],
    "view made without gradients": view_without_gradients,
    "expanded": lambda: (leaf() * 1)[:1].expand(3, 4),
}


@pytest.mark.parametrize("make", PROTECTED.values(), ids=PROTECTED)
def test_what_may_not_be_overwritten_is_not(make: Callable[[], Tensor]) -> None:
    """torch says so before it does so."""
    errors = []
    for layer in (nn.ReLU(inplace=True), BitReLU(inplace=True)):
        input = make()
        before = input.detach().clone()
        with pytest.raises(RuntimeError) as error:
            layer(input)
        assert torch.equal(input.detach(), before) and before.min() < 0
        errors.append(str(error.value))
    assert errors[0] == errors[1]


def test_a_leaf_may_be_read() -> None:
    input = leaf()
    before = input.detach().clone()
    BitReLU()(input)
    assert torch.equal(input.detach(), before)


@in_place_or_not
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=lambda m: m.__name__)
def test_nothing_is_kept_without_a_backward_pass(
    mode: Callable[[], torch.no_grad], inplace: bool
) -> None:
    input = torch.randn(9)
    expected = input.relu()
    with mode():
        output = BitReLU(inplace)(input)
    assert torch.equal(output, expected) and not output.requires_grad
    assert (output.data_ptr() == input.data_ptr()) == inplace


def test_whole_numbers_pass_as_in_torch() -> None:
    assert BitReLU()(torch.tensor([-2, 0, 3])).tolist() == [0, 0, 3]


def test_it_prints_as_torchs() -> None:
    assert repr(BitReLU(inplace=True)) == "BitReLU(inplace=True)"


def test_several_pieces_are_several() -> None:
    """Or the input of that name above is no test of them."""
    size = INPUTS["several pieces"]().numel()
    assert len(list(pieces(size, torch.device("cpu")))) > 1
