"""A few exact steps of training, so that gradients are looked at where training has been.

Adam with learning rate 1e-3, on random minibatches of 64 samples, or of all samples where there
are fewer. Seeded like everything else, it repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import torch
from torch import nn

from xconv.contents import parameters
from xconv_bench.configuration import GradientConfiguration
from xconv_bench.data.minibatches import random_minibatches
from xconv_bench.data.samples import Samples
from xconv_bench.errors import BenchError
from xconv_bench.events import Event, Message, Progress
from xconv_bench.measurement.training import Training
from xconv_bench.objectives import Objective
from xconv_bench.randomness import seed_generators

BATCH_SIZE = 64
LEARNING_RATE = 1e-3

_SEED_OFFSET = 2**20  # measurements do not see the batches trained on last


def warm_up(
    model: nn.Module, samples: Samples, objective: Objective, configuration: GradientConfiguration
) -> Iterator[Event]:
    """Train ``model`` for ``warmup_steps``; yield progress, then a message.

    Raises BenchError, with the step, where the loss or a weight is no longer finite.
    """
    steps, seed = configuration.warmup_steps, configuration.seed
    size = min(BATCH_SIZE, len(samples))
    minibatches = random_minibatches(len(samples), size, count=steps, seed=seed + _SEED_OFFSET)
    optimizer = torch.optim.Adam(parameters(model), LEARNING_RATE)
    seed_generators(seed)  # whatever came before: dropout repeats too
    losses = []
    for step, indices in enumerate(minibatches, 1):
        training = Training.of(model, samples.batch(indices), objective)
        loss = training.forward()
        training.zero_grad()
        training.backward(loss)
        optimizer.step()
        losses.append(loss.item())
        _check(training, losses[-1], f"step {step} of {steps}")
        yield Progress(step / steps)
    yield Message(
        f"warm-up of {steps} steps with batches of {size}: "
        f"loss {losses[0]:.4g} in the first, {losses[-1]:.4g} in the last"
    )


def _check(training: Training, loss: float, step: str) -> None:
    if not isfinite(loss):
        broken = f"the loss is {loss}"
    elif not all(bool(tensor.isfinite().all()) for tensor in training.state()):
        broken = "weights are not finite"
    else:
        return
    raise BenchError(
        f"{broken} in {step} of the warm-up: take fewer --warmup-steps or other --weights"
    )
