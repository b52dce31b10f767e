"""A layer alone is a network too."""

import pytest
import torch

from xconv_bench.configuration import Configuration
from xconv_bench.errors import UsageError
from xconv_bench.measurement.training import prepare
from xconv_bench.models import find


def test_channels() -> None:
    layer = find("conv:3-8").build(16)
    assert layer(torch.zeros(2, 3, 16, 16)).shape == (2, 8, 16, 16)
    assert find("conv:5").build(8)(torch.zeros(1, 5, 8, 8)).shape == (1, 5, 8, 8)


def test_the_gradient_of_the_input_is_computed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = []
    backward = torch.ops.aten.convolution_backward.default

    class Watching(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore
            if func is backward:
                masks.append(args[-1])
            return func(*args, **(kwargs or {}))

    training = prepare(Configuration("conv:4", batch_size=2, image_size=8))
    with Watching():
        training.step()
    assert masks == [[True, True, True]]


@pytest.mark.parametrize("name", ["conv:", "conv:0", "conv:3-", "conv:a", "conv:3-4-5"])
def test_what_names_no_layer(name: str) -> None:
    with pytest.raises(UsageError, match=f"^'{name}' names no layer: expected channels"):
        find(name)
