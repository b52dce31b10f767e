"""Times of steps, taken in turns: what disturbs one disturbs all, and ratios hold."""

import statistics
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xconv_bench.meters.clock import time_steps

Step = Callable[[int], float]
"""A function that runs a number of steps and returns the median of their seconds."""

_ROUND_SECONDS = 0.05
_ROUNDS = (3, 15)


def step_of(layer: nn.Module, input: Tensor, grad_output: Tensor) -> Step:
    """Return a step: forward, and backward down to the input."""

    def zero_grad() -> None:
        layer.zero_grad(set_to_none=True)
        input.grad = None

    def run(steps: int) -> float:
        times = time_steps(
            lambda: layer(input),
            lambda output: output.backward(grad_output),
            zero_grad,
            input.device,
            steps=steps,
            warmup=0,
        )
        return times["step_seconds"]

    return run


def compare(exact: Step, variants: Sequence[Step], seconds: float) -> tuple[float, list[float]]:
    """Return medians of seconds, all measured in turns after warming up.

    The slowest step takes ``seconds`` in all, or at least three rounds.
    """
    steps = [exact, *variants]
    for step in steps:
        step(1)
    slowest = max(step(1) for step in steps)
    repeats = max(1, int(min(_ROUND_SECONDS, seconds / _ROUNDS[0]) / slowest))
    rounds = int(seconds / (slowest * repeats))
    rounds = min(max(rounds, _ROUNDS[0]), _ROUNDS[1])
    samples = [[step(repeats) for step in steps] for _ in range(rounds)]
    medians = [statistics.median(times) for times in zip(*samples, strict=True)]
    return medians[0], medians[1:]


def smooth_images(shape: tuple[int, int, int, int], dtype: torch.dtype, device: str) -> Tensor:
    """Return images that require a gradient, smooth and with zeros, as after a ReLU.

    ``spectral`` divides its bits by what it sees, and noise would make it keep what no image needs.
    """
    batch, channels, *size = shape
    coarse = torch.randn(
        batch, channels, *(-(-side // 4) for side in size), dtype=dtype, device=device
    )
    images = F.interpolate(coarse, size)
    images += 0.3 * torch.randn_like(images)
    return images.relu_().requires_grad_()


def settle_heap() -> None:
    """Free a block of 32 MiB, as any training loop soon does.

    Only then does the C library keep blocks up to this size for the next call. Before, each is
    given back, and the next one pays for its pages again: seconds would depend on history.
    """
    torch.zeros(2**23 - 64)


def processor(device: str) -> str:
    """Return the name of the GPU, or a CPU's number of threads, in words."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"a CPU with {threads} thread{'s' * (threads != 1)}"
