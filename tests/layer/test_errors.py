"""Wrong arguments fail as torch users expect, and say what was given and what is allowed."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from layer_cases import CONV2D, KINDS, Kind
from torch import Tensor, nn

from xconv import XConv2d, convert, functional

PROBING: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "negative": ({"probes": -1}, ValueError, "probes must be 0 .* or more; got -1"),
    "fraction": ({"probes": 1.5}, TypeError, "probes must be an integer.*got 1.5"),
    "boolean": ({"probes": True}, TypeError, "probes must be an integer.*got True"),
    "word": ({"probes": "8"}, TypeError, "probes must be an integer.*got '8'"),
    "scheme": (
        {"scheme": "spectrum"},
        ValueError,
        "unknown scheme 'spectrum'; did you mean 'spectral'?",
    ),
    "another scheme's dial": (
        {"scheme": "spectral", "probes": 8},
        ValueError,
        "scheme 'spectral' takes bits, not probes; got probes=8",
    ),
    "no bits": ({"bits": 0}, ValueError, "bits of spectral must be above 0 and at most 8; got 0"),
    "distribution": (
        {"distribution": "cauchy"},
        ValueError,
        "unknown distribution 'cauchy'; choose from rademacher, gaussian",
    ),
}
wrong_probing = pytest.mark.parametrize(
    ("arguments", "error", "words"), PROBING.values(), ids=PROBING
)


@wrong_probing
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_constructors(
    kind: Kind, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    state = torch.get_rng_state()
    with pytest.raises(error, match=words):
        kind.ours(4, 6, 3, **arguments)
    assert torch.equal(torch.get_rng_state(), state)  # no weight was initialised


@wrong_probing
@pytest.mark.parametrize("function", [functional.conv, functional.conv_transpose])
def test_functions(
    function: Callable[..., Tensor], arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        function(CONV2D.images(), torch.ones(4, 4, 3, 3), **arguments)


@wrong_probing
def test_conversion(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    layer = nn.Conv2d(4, 6, 3)
    with pytest.raises(error, match=words):
        convert(layer, **arguments)
    assert type(layer) is nn.Conv2d


@pytest.mark.parametrize(
    "arguments",
    [
        {"in_channels": 3, "out_channels": 4, "groups": 2},
        {"in_channels": 4, "out_channels": 4, "padding_mode": "mirror"},
        {"in_channels": 4, "out_channels": 4, "padding": "full"},
        {"in_channels": 4, "out_channels": 4, "padding": "same", "stride": 2},
        {"in_channels": 4, "out_channels": 4, "unknown": 2},
    ],
    ids=lambda arguments: list(arguments)[-1],
)
def test_torch_s_own_arguments_fail_as_in_torch(arguments: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)) as theirs:
        nn.Conv2d(kernel_size=3, **arguments)
    with pytest.raises(type(theirs.value)) as ours:
        XConv2d(kernel_size=3, **arguments)
    assert str(ours.value).split(".__init__")[-1] == str(theirs.value).split(".__init__")[-1]


SHAPES = {
    "one-dimension": (4,),
    "two": (4, 9),
    "five": (2, 4, 9, 9, 9),
    "six": (2, 4, 9, 9, 9, 9),
    "channels": (2, 5, 9, 9),
    "channels-unbatched": (5, 9, 9),
    "smaller-than-the-kernel": (2, 4, 2, 2),
}


@pytest.mark.parametrize("kind", [KINDS[1], KINDS[4]], ids=str)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64], ids=str)
def test_inputs_that_do_not_fit_fail_as_in_torch(
    kind: Kind, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    exact, ours = kind.pair(4, 6, 3)
    x = torch.ones(shape, dtype=dtype)
    try:
        exact(x)
    except Exception as error:
        with pytest.raises(type(error)) as raised:
            ours(x)
        assert str(raised.value) == str(error)
    else:  # a transposed convolution takes images smaller than its kernel
        ours(x)


@pytest.mark.parametrize("value", [None, [[1.0]], 3], ids=repr)
def test_inputs_that_are_no_tensors(value: object) -> None:
    with pytest.raises((TypeError, AttributeError)):
        XConv2d(4, 6, 3)(value)


@pytest.mark.cuda
def test_a_mix_of_devices_fails_as_in_torch() -> None:
    exact, ours = CONV2D.pair(4, 6, 3)
    x = CONV2D.images(device="cuda")
    with pytest.raises(RuntimeError) as theirs:
        exact(x)
    with pytest.raises(RuntimeError) as mine:
        ours(x)
    assert str(mine.value) == str(theirs.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"padding": "full"},
        {"padding": "same", "stride": 2},
        {"stride": 0},
        {"stride": (1, 2, 3)},
        {"padding": -1},
        {"dilation": 0},
        {"groups": 3},
    ],
    ids=lambda arguments: "-".join(f"{k}={v}" for k, v in arguments.items()),
)
def test_functions_refuse_geometries_that_torch_refuses(arguments: dict[str, Any]) -> None:
    x, weight = CONV2D.images(), torch.ones(6, 4, 3, 3, requires_grad=True)
    with pytest.raises(RuntimeError):
        F.conv2d(x, weight, **arguments)
    with pytest.raises(RuntimeError):
        functional.conv(x, weight, probes=3, **arguments)


def test_a_function_names_the_padding_modes() -> None:
    with pytest.raises(ValueError, match=r"'mirror'.*zeros, reflect, replicate, circular"):
        functional.conv(CONV2D.images(), torch.ones(6, 4, 3, 3), padding_mode="mirror")


@pytest.mark.parametrize("function", [functional.conv, functional.conv_transpose])
@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 1, 1, 1, 1)], ids=len)
def test_a_weight_for_no_number_of_dimensions(
    function: Callable[..., Tensor], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"3, 4 or 5 dimensions.*\(4, 4"):
        function(CONV2D.images(), torch.ones(shape))
