"""The work of each process of the distributed test; spawned processes import it by name."""

import os
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from layer_cases import gradients, images, small_network
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from xconv import convert
from xconv.saved.norm import XSyncBatchNorm
from xconv.saved.normalizing import estimated
from xconv.saved.rules import SyncBatchNormRule

PATIENCE = timedelta(seconds=60)


def warnings_of_pointwise_layers() -> list[str]:
    """Return the warnings of a step with kernels of size 1, whose strides have no meaning."""
    model = convert(
        nn.Sequential(nn.Conv2d(3, 16, 1), nn.Conv2d(16, 8, 1), nn.ConvTranspose2d(8, 4, 1)),
        probes=8,
        first="compressed",
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gradients(model, images(8), run=DistributedDataParallel(model))
    return [str(warning.message) for warning in caught]


def plans_of_a_spectral_model(rank: int) -> dict[str, list[float]]:
    """Bits a coefficient that the layers of this rank have after some steps on images of its own,
    and the sum of their weights, which all ranks must have in common."""
    model = convert(small_network(), bits=0.5, first="compressed")
    parallel = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for step in range(4):
        gradients(model, images() * (1 + rank) + rank, seed=2 * step + rank, run=parallel)
        optimizer.step()
    plans = [model[n]._xconv.member.plan for n in (0, 3)]
    return {
        "bits": [plan.bits_a_block / plan.order.numel() for plan in plans],
        "weights": [float(parameter.sum()) for parameter in model.parameters()],
    }


def gradients_of_all_families(rank: int) -> dict[str, Any]:
    """This rank's own gradients where every family is compressed, and those under DDP."""
    model = convert(small_network(), compress="all", first="compressed")
    own = gradients(model, images(), seed=rank)
    model.zero_grad()
    return {
        "own": own,
        "averaged": gradients(model, images(), seed=rank, run=DistributedDataParallel(model)),
    }


def statistics(input: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """``torch.batch_norm_stats``, which torch has for GPUs alone."""
    variance, mean = torch.var_mean(input.transpose(0, 1).flatten(1), 1, correction=0)
    return mean, (variance + eps).rsqrt()


def gathered(
    input: Tensor, means: Tensor, rstds: Tensor, running_mean: None, running_var: None,
    momentum: float, eps: float, counts: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """``torch.batch_norm_gather_stats_with_counts``, likewise."""
    parts = (counts / counts.sum())[:, None]
    mean = (parts * means).sum(0)
    variance = (parts * (rstds**-2 - eps + (means - mean) ** 2)).sum(0)
    return mean, (variance + eps).rsqrt()


def normalized(
    input: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, rstd: Tensor, eps: float
) -> Tensor:
    """``torch.batch_norm_elemt``, likewise."""
    gain, shift, mean, rstd = (each[:, None, None] for each in (weight, bias, mean, rstd))
    return (input - mean) * rstd * gain + shift


def synchronized_norm(rank: int) -> dict[str, Tensor]:
    """Gradients of one batch normalisation over the images of both ranks: two and three of five."""
    layer = XSyncBatchNorm(8, norm_bits=8, track_running_stats=False)
    nn.init.constant_(layer.weight, 1.5)
    x = images(5, 8)[2 * rank : 2 + 3 * rank].clone().requires_grad_()
    rule = SyncBatchNormRule(0.1, layer.eps, dist.group.WORLD, dist.get_world_size())
    with (
        mock.patch("torch.batch_norm_stats", statistics),
        mock.patch("torch.batch_norm_gather_stats_with_counts", gathered),
        mock.patch("torch.batch_norm_elemt", normalized),
    ):
        output = estimated(layer, x, (None, None), torch.tensor(rank), rule)
    (output.sin().sum()).backward()
    return {"output": output.detach(), "input": x.grad, "weight": layer.weight.grad}


def train(rank: int, world_size: int, folder: Path) -> None:
    """Save this rank's own gradients and those of the same step under DDP."""
    torch.set_num_threads(1)
    if sys.platform == "linux":  # not the interface of the host's name, which may not answer
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group(
        "gloo",
        init_method=(folder / "rendezvous").as_uri(),
        rank=rank,
        world_size=world_size,
        timeout=PATIENCE,
    )
    model = convert(small_network(), probes=4, first="compressed")
    own = gradients(model, images(), seed=rank)
    model.zero_grad()
    parallel = DistributedDataParallel(model, find_unused_parameters=False)
    averaged = [gradients(model, images(), seed=rank, run=parallel) for _ in range(2)]
    torch.save(
        {
            "own": own,
            "averaged": averaged,
            "warnings": warnings_of_pointwise_layers(),
            "all": gradients_of_all_families(rank),
            "synchronized": synchronized_norm(rank),
            "spectral": plans_of_a_spectral_model(rank),
        },
        folder / f"rank{rank}.pt",
    )
    dist.barrier()
    # Straight out: taking down torch's threads at the end of the interpreter aborts now and then.
    os._exit(0)
