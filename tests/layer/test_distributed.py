"""DistributedDataParallel averages the estimates of its ranks, each with probes of its own."""

import time
from pathlib import Path
from typing import Any

import ddp_worker
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from layer_cases import Gradients, assert_same, images
from torch import nn

RANKS = 2

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="torch was built without gloo"
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Gradients]]:
    folder = tmp_path_factory.mktemp("ddp")
    processes = mp.spawn(ddp_worker.train, args=(RANKS, folder), nprocs=RANKS, join=False)
    deadline = time.monotonic() + 2 * ddp_worker.PATIENCE.total_seconds()
    while not processes.join(timeout=5):
        if time.monotonic() > deadline:
            for process in processes.processes:
                process.kill()
            pytest.fail("the processes do not come to an end")
    return [torch.load(Path(folder) / f"rank{rank}.pt") for rank in range(RANKS)]


def test_gradients_are_the_mean_of_the_ranks(results: list[dict[str, Gradients]]) -> None:
    for result in results:
        for name, gradient in result["averaged"][0].items():
            mean = sum(each["own"][name] for each in results) / RANKS
            torch.testing.assert_close(gradient, mean, msg=name)


def test_a_second_step_works_as_the_first(results: list[dict[str, Gradients]]) -> None:
    for result in results:
        first, second = result["averaged"]
        for name in first:
            torch.testing.assert_close(second[name], first[name], msg=name)


def test_all_ranks_hold_the_same(results: list[dict[str, Gradients]]) -> None:
    assert_same(results[1]["averaged"][0], results[0]["averaged"][0])


def test_ranks_have_probes_of_their_own(results: list[dict[str, Gradients]]) -> None:
    """Same weights, same images: only the probes differ."""
    one, other = (result["own"] for result in results)
    estimated = {name for name in one if not torch.allclose(one[name], other[name])}
    assert estimated == {"0.weight", "3.weight"}


def test_nothing_is_said_of_strides(results: list[dict[str, Any]]) -> None:
    assert [result["warnings"] for result in results] == [[], []]


def test_ranks_have_plans_of_their_own_and_weights_in_common(results: list[dict[str, Any]]) -> None:
    """Each rank plans for what it sees; its plans keep the average of bits (two layers of 3 and 8
    channels)."""
    one, other = (result["spectral"] for result in results)
    assert one["weights"] == other["weights"]
    assert one["bits"] != other["bits"]
    for first, last in (one["bits"], other["bits"]):
        assert 0.9 * 0.5 <= (3 * first + 8 * last) / 11 <= 0.5


def test_so_they_are_where_every_family_is_compressed(results: list[dict[str, Any]]) -> None:
    for name in results[0]["all"]["own"]:
        mean = sum(each["all"]["own"][name] for each in results) / RANKS
        for result in results:
            torch.testing.assert_close(result["all"]["averaged"][name], mean, msg=name)


def test_statistics_of_all_ranks(results: list[dict[str, Any]]) -> None:
    """As one normalisation of all images, which eight bits are near to."""
    exact = nn.BatchNorm2d(8, track_running_stats=False)
    nn.init.constant_(exact.weight, 1.5)
    x = images(5, 8).requires_grad_()
    output = exact(x)
    output.sin().sum().backward()
    found = [result["synchronized"] for result in results]
    torch.testing.assert_close(torch.cat([each["output"] for each in found]), output)
    ours = torch.cat([each["input"] for each in found])
    assert (ours - x.grad).norm() < 0.005 * x.grad.norm()
    total = sum(each["weight"] for each in found)
    assert (total - exact.weight.grad).norm() < 0.02 * exact.weight.grad.norm()
