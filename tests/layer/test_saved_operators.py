"""``torch.library.opcheck`` of the operators of ``xconv.saved``, over layouts, dtypes and sizes."""

from collections.abc import Callable

import pytest
import torch
from operator_cases import DTYPES, SEED, check, every_dtype, every_layout, is_usual, operator
from torch import Tensor

from xconv.saved.curves import RANGES, STEPS
from xconv.saved.windows import Windows

WINDOWS = {
    "strided": Windows((3, 2), (2, 1), (1, 0), (1, 2), True),
    "adaptive": Windows((3, 4)),
}
PARAMETERS = {
    "hardtanh": (-1.0, 1.0),
    "leaky_relu": (0.1,),
    "threshold": (0.2,),
    "hardshrink": (0.5,),
    "softshrink": (0.5,),
    "elu": (0.7,),
    "celu": (2.0,),
    "gelu": (0.0,),
    "softplus": (1.0, 20.0),
}
every_windows = pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS)


def images(dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 9, 11, generator=generator).to(dtype)


def is_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def check_pooling(windows: Windows, x: Tensor, fully: bool = True) -> None:
    pixels, last = list(x.shape[2:]), is_last(x)
    bits, numbers = windows.bits((9, 11)), list(windows.numbers())
    check(operator("pool_maxima"), x, bits, numbers, fully=fully)
    output, packed = operator("pool_maxima")(x, bits, numbers)
    rest = (packed, pixels, last, bits, numbers)
    check(operator("scatter_to_maxima"), output.clone().requires_grad_(), *rest, fully=fully)
    check(operator("gather_maxima"), x.clone().requires_grad_(), *rest, fully=fully)


@every_layout
def test_layouts_of_max_pooling(lay: Callable[[Tensor], Tensor]) -> None:
    check_pooling(WINDOWS["strided"], lay(images()), is_usual(lay))


@every_windows
@pytest.mark.parametrize("dtype", DTYPES[1::2], ids=str)
def test_dtypes_of_max_pooling(dtype: torch.dtype, windows: Windows) -> None:
    check_pooling(windows, images(dtype))


@every_layout
@pytest.mark.parametrize("last", [False, True], ids=["contiguous input", "channels last input"])
def test_layouts_of_average_pooling(lay: Callable[[Tensor], Tensor], last: bool) -> None:
    for sizes, shape in (([3, 2, 2, 1, 1, 0], (2, 4, 5, 10)), ([3, 4], (2, 4, 3, 4))):
        if last and len(sizes) > 2:
            continue
        gradient = lay(torch.randn(shape, dtype=torch.float64)).requires_grad_()
        rest = ([9, 11], last, sizes, False, True, None)
        check(operator("spread_averages"), gradient, *rest, fully=is_usual(lay))


def check_slopes(x: Tensor, name: str, gradients: list[Tensor], fully: bool = True) -> None:
    last, parameters = is_last(x), list(PARAMETERS.get(name, ()))
    if name in STEPS:
        check(operator("pack_steps"), x, name, parameters, last, fully=fully)
        packed = operator("pack_steps")(x, name, parameters, last)
        for gradient in gradients:
            rest = (packed, [0.5, 1.0], 1, last, True)
            check(operator("scale_gradient"), gradient, *rest, fully=fully)
        return
    check(operator("round_slopes"), x, SEED, name, parameters, 4, last, fully=fully)
    packed, flag = operator("round_slopes")(x, SEED, name, parameters, 4, last)
    levels = list(RANGES[name].levels(15, *parameters))
    for gradient in gradients:
        anchor = gradient[:0].detach()
        others = (packed, flag, anchor, levels, 4, last, name)
        check(operator("scale_by_rounded"), gradient.detach(), *others, fully=fully)


@every_layout
@pytest.mark.parametrize("name", ["hardtanh", "gelu"])
def test_layouts_of_slopes(lay: Callable[[Tensor], Tensor], name: str) -> None:
    x = lay(images())
    gradients = [x.clone().requires_grad_(), images().requires_grad_()]
    check_slopes(x, name, gradients, is_usual(lay))


@pytest.mark.parametrize("name", [*STEPS, *RANGES])
def test_curves(name: str) -> None:
    x, parameters = images(torch.float32), list(PARAMETERS.get(name, ()))
    if name in STEPS:
        check(operator("pack_steps"), x, name, parameters, False, fully=False)
    else:
        check(operator("round_slopes"), x, SEED, name, parameters, 4, False, fully=False)


@every_dtype
def test_dtypes_of_slopes(dtype: torch.dtype) -> None:
    check_slopes(images(dtype), "silu", [images(dtype)])


@every_layout
def test_layouts_of_dropout(lay: Callable[[Tensor], Tensor]) -> None:
    x = lay(images())
    packed = operator("pack_passing")(x, is_last(x))
    gradient = x.clone().requires_grad_()
    usual = is_usual(lay)
    check(operator("drop_again"), gradient, packed, 0.75, 0.0, False, is_last(x), fully=usual)
    for how in ((0.75, 0.9, False), (0.75, 0.0, True)):
        check(operator("drop_again"), gradient, packed, *how, is_last(x), fully=False)


@every_layout
@pytest.mark.parametrize("seed", [SEED, None], ids=["weight", "frozen"])
def test_layouts_of_prelu(lay: Callable[[Tensor], Tensor], seed: Tensor | None) -> None:
    x = lay(images())
    last, bits = is_last(x), 1 if seed is None else 4
    check(operator("keep_negatives"), x, seed, bits, last, fully=is_usual(lay))
    packed, scales = operator("keep_negatives")(x, seed, bits, last)
    check(operator("passing"), x, packed, bits, last, fully=is_usual(lay))
    if seed is not None:
        weight = torch.rand(4, dtype=torch.float64)
        arguments = (x, packed, scales, weight, bits, last)
        check(operator("sum_negatives"), *arguments, fully=is_usual(lay))
