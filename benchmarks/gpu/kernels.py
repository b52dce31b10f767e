"""Time a layer and a step of ResNet-50 with and without kernels.

    python -m benchmarks.gpu.kernels [layers] [step] [programs]

``layers`` times one layer forward and backward beside cuDNN's own, and prints the error of its
weight gradient and the kernels that the GPU runs. ``step`` does so for ResNet-50 and counts
launches. ``programs`` tries other sizes of the kernels' programs. Without words, the first two run;
they take under three minutes. Exit code 1 if gradients with kernels are less exact than without.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from xconv import XConv2d
from xconv.budget import plans_kept
from xconv.watching import SWITCH
from xconv_bench.configuration import Configuration
from xconv_bench.measurement.training import prepare

DEVICE = torch.device("cuda")
SHAPES = [  # batch, channels in, channels out, pixels, kernel
    (32, 64, 64, 64, 3),
    (32, 64, 64, 128, 3),
    (32, 128, 128, 128, 3),
    (64, 256, 64, 56, 1),
    (64, 64, 256, 56, 1),
    (64, 128, 128, 28, 3),
    (64, 256, 256, 14, 3),
    (64, 512, 512, 7, 3),
    (64, 2048, 512, 7, 1),
]
PRECISIONS = {"float32": (torch.float32, False), "tf32": (torch.float32, True)} | {
    "bfloat16": (torch.bfloat16, True),
    "bfloat16 last": (torch.bfloat16, True),
}
CONVOLUTIONS: dict[str, Any] = {"method": "xconv", "compress": "conv", "first": "exact"}
WAYS: dict[str, dict[str, Any]] = {
    "exact": {"method": "exact"},
    "spectral conv": {**CONVOLUTIONS, "scheme": "spectral", "bits": 0.5},
    "spectral conv,relu": {
        **CONVOLUTIONS, "compress": "conv,relu", "scheme": "spectral", "bits": 0.5,
    },
}  # fmt: skip
_OWN = "Activity Buffer Request"
_MUCH_WORSE = 1.25
"""Allowed ratio of the error with kernels to that without; seeds differ."""


@dataclass(frozen=True)
class Reading:
    """The measured times of a run, and its kernels.

    Times are seconds from start to end, seconds of the CPU until all is launched, and seconds of
    the GPU, with the number of launches and the time of each kernel.
    """

    seconds: float
    host_seconds: float
    busy_seconds: float
    launches: int
    kernels: Counter[str]


def measure(run: Callable[[], object], repeats: int) -> Reading:
    """Return the mean of ``repeats`` runs, and what a profiler saw in one."""
    for _ in range(2):
        run()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    launched = time.perf_counter()
    torch.cuda.synchronize()
    end = time.perf_counter()
    for _ in range(2):  # the first that is looked at includes preparations
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            run()
            torch.cuda.synchronize()
    kernels: Counter[str] = Counter()
    launches = 0
    for event in profiled.events():
        if event.device_type == DeviceType.CUDA and event.name != _OWN:
            launches += 1
            kernels[event.name] += event.self_device_time_total / 1e6
    return Reading(
        (end - start) / repeats, (launched - start) / repeats, sum(kernels.values()), launches,
        kernels,
    )  # fmt: skip


@contextmanager
def kernels_switched(is_on: bool) -> Iterator[None]:
    """Switch kernels on or off inside the context."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = "on" if is_on else "off"
    try:
        yield
    finally:
        os.environ.pop(SWITCH)
        if before is not None:
            os.environ[SWITCH] = before


def allow_tf32(is_allowed: bool) -> None:
    """Let convolutions use TF32, or not."""
    cudnn: Any = torch.backends.cudnn
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        cudnn.conv.fp32_precision = "tf32" if is_allowed else "ieee"
    else:
        cudnn.allow_tf32 = is_allowed


class Layer:
    """One layer, ours and torch's, and a batch for it whose spectrum is that of images."""

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, last: bool) -> None:
        batch, inputs, outputs, side, kernel = shape
        torch.manual_seed(0)
        order = torch.channels_last if last else torch.contiguous_format
        words: dict[str, Any] = {"padding": kernel // 2, "bias": False}
        to: dict[str, Any] = {"device": DEVICE, "dtype": dtype, "memory_format": order}
        self.exact = nn.Conv2d(inputs, outputs, kernel, **words).to(**to)
        self.ours = XConv2d(inputs, outputs, kernel, scheme="spectral", bits=0.5, **words).to(**to)
        self.ours.load_state_dict(self.exact.state_dict())
        rough = torch.randn(batch, inputs, side, side, device=DEVICE)
        smooth = nn.functional.avg_pool2d(rough, 5, 1, 2) * 3 + 0.3 * rough
        self.input = smooth.relu_().to(**to).requires_grad_()
        self.delta = torch.randn(batch, outputs, side, side, device=DEVICE).to(**to)

    def gradients(self, layer: nn.Conv2d) -> tuple[Tensor, ...]:
        """Return the gradients of weight and input."""
        return torch.autograd.grad(layer(self.input), [layer.weight, self.input], self.delta)

    def error(self) -> float:
        """Return the relative error of the weight gradient, root mean square over some seeds."""
        exact = self.gradients(self.exact)[0].double()
        squares = [
            float(((self.gradients(self.ours)[0] - exact).norm() / exact.norm()).square())
            for _ in range(6)
        ]
        return float((sum(squares) / len(squares)) ** 0.5)


def layers() -> int:
    """Print a line for each shape and precision; return 1 if a gradient is too far off."""
    code = 0
    for name, (dtype, tf32) in PRECISIONS.items():
        allow_tf32(tf32)
        ratios: list[float] = []
        for shape in SHAPES:
            layer = Layer(shape, dtype, name.endswith("last"))
            exact = measure(partial(layer.gradients, layer.exact), 20)
            readings, errors = {}, {}
            for is_on in (True, False):
                with kernels_switched(is_on):
                    for _ in range(3):  # a plan of its own
                        layer.gradients(layer.ours)
                    with plans_kept():
                        errors[is_on] = layer.error()
                        run = partial(layer.gradients, layer.ours)
                        readings[is_on] = measure(run, 20 if is_on else 5)
            on, off = readings[True], readings[False]
            ratios.append(on.seconds / exact.seconds)
            code |= errors[True] > _MUCH_WORSE * errors[False]
            print(
                f"{name:13} {shape!s:24} exact {exact.seconds * 1e3:6.2f} ms; "
                f"on {ratios[-1]:5.2f} (GPU {on.busy_seconds / exact.busy_seconds:5.2f}, CPU "
                f"{on.host_seconds * 1e3:5.2f} ms, {on.launches} launches, error "
                f"{errors[True]:.3f}); off {off.seconds / exact.seconds:5.2f} "
                f"({off.launches} launches, error {errors[False]:.3f})",
                flush=True,
            )
            print("   ", own_kernels(on), flush=True)
            del layer
        mean = torch.tensor(ratios).log().mean().exp()
        print(f"{name}: geometric mean {mean:.2f}", flush=True)
    return code


def own_kernels(reading: Reading) -> str:
    """Return our kernels with their microseconds, then whatever else took longest."""
    own = ("_prepare", "_sketch", "_round_scales", "_rebuild", "_pack_passing", "_mask_gradient")
    words = [
        f"{name} {seconds * 1e6:.0f}" for name, seconds in reading.kernels.items() if name in own
    ]
    others = [(name, s) for name, s in reading.kernels.most_common() if name not in own][:4]
    return ", ".join([*words, *(f"{name[:30]}… {s * 1e6:.0f}" for name, s in others)]) + " µs"


def step() -> int:
    """Print a line for each way to train ResNet-50 at batch 64."""
    allow_tf32(True)
    exact: Reading | None = None
    for name, way in WAYS.items():
        for is_on in (True, False) if exact else (True,):
            torch.manual_seed(0)
            words = {"model": "resnet50", "batch_size": 64, "device": "cuda", **way}
            training = prepare(Configuration(**words))
            with kernels_switched(is_on):
                for _ in range(3):
                    training.step()
                with plans_kept():
                    reading = measure(training.step, 10 if is_on else 3)
                start = time.perf_counter()
                for _ in range(5):  # calls 4 to 8, two of which look at spectra
                    training.step()
                torch.cuda.synchronize()
                early = (time.perf_counter() - start) / 5
            exact = exact or reading
            print(
                f"ResNet-50 {name}, kernels {'on' if is_on else 'off'}: "
                f"{reading.seconds * 1e3:.1f} ms, {reading.seconds / exact.seconds:.2f} of exact; "
                f"GPU {reading.busy_seconds * 1e3:.1f} ms, CPU {reading.host_seconds * 1e3:.1f} ms;"
                f" {reading.launches} launches; with renewals of plans {early * 1e3:.1f} ms",
                flush=True,
            )
            print("   ", own_kernels(reading), flush=True)
            del training
            torch.cuda.empty_cache()
    return 0


def programs() -> int:
    """Print the microseconds of each kernel by the size of its programs."""
    from xconv.kernels import rebuild, sketch
    from xconv.kernels.tiling import Program

    for name in ("tf32", "bfloat16 last", "float32"):
        dtype, tf32 = PRECISIONS[name]
        allow_tf32(tf32)
        layer = Layer(SHAPES[3], dtype, name.endswith("last"))
        for _ in range(3):
            layer.gradients(layer.ours)
        found: dict[str, dict[Program, float]] = {"_sketch": {}, "_rebuild": {}}
        for rows, pixels, warps, stages in SIZES:
            program = Program(rows, pixels, warps, stages)
            sketch.PROGRAM = program
            rebuild.PROGRAMS = dict.fromkeys(rebuild.PROGRAMS, program)
            try:
                with plans_kept():
                    reading = measure(partial(layer.gradients, layer.ours), 1)
            except Exception as error:
                print(name, program, str(error).splitlines()[0][:80], flush=True)
                continue
            for kernel, taken in found.items():
                taken[program] = reading.kernels[kernel]
        for kernel, readings in found.items():
            for program, seconds in sorted(readings.items(), key=lambda item: item[1])[:5]:
                print(f"{name} {kernel} {tuple(program)}: {seconds * 1e6:.0f} µs", flush=True)
    return 0


SIZES = [(32, 64, 4, 2), (64, 64, 4, 2), (64, 64, 8, 2), (128, 64, 8, 2), (64, 128, 8, 2),
         (32, 128, 4, 2), (32, 128, 8, 2), (32, 256, 8, 1), (32, 256, 8, 2),
         (64, 32, 4, 3)]  # fmt: skip
PARTS: dict[str, Callable[[], int]] = {"layers": layers, "step": step, "programs": programs}


def main(arguments: list[str]) -> int:
    """Run the parts named, or the first two."""
    unknown = [name for name in arguments if name not in PARTS]
    if unknown or not torch.cuda.is_available():
        print(f"expected a GPU and some of {', '.join(PARTS)}; got {unknown}", file=sys.stderr)
        return 2
    print(torch.cuda.get_device_name(), torch.__version__, flush=True)
    return max(PARTS[name]() for name in arguments or ["layers", "step"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
