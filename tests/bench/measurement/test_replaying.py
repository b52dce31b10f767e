"""Functions that a simulation runs once: nothing that is counted tells the difference."""

from contextlib import nullcontext
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from xconv.schemes import SCHEMES
from xconv.wholes import Stretch, whole
from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.measurement.counting import Count, Simulation
from xconv_bench.measurement.simulating import simulating
from xconv_bench.meters.live import LiveMeter


def counted(scheme: str, compress: str, batch_size: int) -> Count:
    dial = {SCHEMES[scheme].dial: {"probes": 4, "bits": 1.0, "keep": 0.3}[SCHEMES[scheme].dial]}
    cell = Configuration(
        "resnet18", "xconv", scheme=scheme, **dial, compress=compress, norm_bits=4,
        batch_size=batch_size, image_size=64, device=SIMULATED,
    )  # fmt: skip
    return Simulation(cell).count(batch_size)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_counts_are_those_of_every_operator(scheme: str) -> None:
    """Peak, what is kept, the largest tensor, and what each operator allocates.

    Equal layers are counted once, and so are equal parts of the largest ones.
    """
    found = counted(scheme, "conv,relu,norm", 40)
    with mock.patch("xconv_bench.measurement.simulating.taken_by", lambda _: nullcontext()):
        assert found == counted(scheme, "conv,relu,norm", 40)


runs: list[int] = []


@whole
def doubled(tensors: list[Tensor], rows: slice) -> list[Tensor]:
    runs.append(1)
    large = tensors[0].repeat(3, 1) * 2
    return [large[rows], tensors[1]]


@whole
def filled(target: Tensor) -> None:
    runs.append(1)
    target.copy_(torch.ones(3, 4))


@whole
def keeps(tensor: Tensor) -> int:
    runs.append(1)
    return tensor.dim()


@pytest.fixture
def images() -> Any:
    runs.clear()
    with simulating(FakeTensorMode()), torch.no_grad():
        yield torch.empty(3, 4), torch.empty(2)


def test_results_lie_as_they_did(images: Any) -> None:
    found = [doubled(list(images), slice(1, 3)) for _ in range(3)]
    assert len(runs) == 1
    for large, same in found:
        assert same is images[1]
        assert (large.shape, large.stride(), large.storage_offset()) == ((2, 4), (4, 1), 4)
        assert large.untyped_storage().nbytes() == 9 * 4 * 4
    assert filled(images[0]) is None and filled(images[0]) is None and len(runs) == 2


@whole
def first_of(tensor: Tensor, some: Stretch) -> Tensor:
    runs.append(1)
    return some.within(tensor) + 1


def test_parts_of_a_tensor_differ_by_their_lengths_alone(images: Any) -> None:
    found = [
        first_of(images[0], Stretch(start, count)) for start, count in ((0, 1), (2, 1), (1, 2))
    ]
    assert [each.shape for each in found] == [(1, 4), (1, 4), (2, 4)] and len(runs) == 2
    with pytest.raises((RuntimeError, IndexError)):
        first_of(images[0], Stretch(2, 3))


def test_other_shapes_and_other_onlookers_run_it(images: Any) -> None:
    for _ in range(2):
        doubled(list(images), slice(1, 3))
        doubled(list(images), slice(0, 3))
        doubled([images[0].t(), images[1]], slice(0, 3))
    assert len(runs) == 3
    with FlopCounterMode(display=False):
        doubled(list(images), slice(1, 3))
    with torch.enable_grad():
        doubled(list(images), slice(1, 3))
    assert len(runs) == 5
    assert keeps(images[0]) == keeps(images[0]) == 2 and len(runs) == 7


def test_a_meter_sees_what_is_gone(images: Any) -> None:
    doubled(list(images), slice(1, 3))
    with LiveMeter(torch.device("cpu")) as meter:
        results = doubled(list(images), slice(1, 3))
        assert meter.peak_bytes == 2 * 512 and meter.live_bytes == 512
        assert meter.allocated_bytes == {"aten.repeat": 512, "aten.mul.Tensor": 512}
        del results
    assert meter.live_bytes == 0 and len(runs) == 1


def test_outside_of_simulations_functions_run() -> None:
    runs.clear()
    for _ in range(2):
        (large, _) = doubled([torch.ones(3, 4), torch.ones(2)], slice(1, 3))
        assert large.equal(torch.full((2, 4), 2.0))
    assert len(runs) == 2
