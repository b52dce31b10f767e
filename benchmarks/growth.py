"""Time one 3×3 layer at growing sizes, and fit how time and kept bytes grow: ``make bench``.

One dial changes at a time: batch, channels of the input, its pixels, probes or bits.
The output has 64 channels throughout, so that work grows linearly with the channels of the input.
The smallest layers take some ten milliseconds: small operations that do not grow are little of it.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from benchmarks import performance_page
from benchmarks.speed_program import made_by, parsed, parser, record
from benchmarks.timing import compare, settle_heap, smooth_images, step_of
from xconv import XConv2d

OUTPUTS = 64
BASE = {"batch": 16, "channels": 64, "image_size": 56}
QUICK_BASE = {"batch": 2, "channels": 4, "image_size": 16}
SECONDS, QUICK_SECONDS = 1.5, 0.01
"""Seconds for the slowest variant of a size."""

USUAL: tuple[dict[str, Any], ...] = (
    {"scheme": "independent", "probes": 8},
    {"scheme": "spectral", "bits": 0.5},
    {"scheme": "quantized", "bits": 2},
)
"""Settings whose layers grow by batch, channels and pixels."""
SIZES = {
    "batch": (16, 32, 64, 128),
    "channels": (64, 128, 256, 512),
    "image_size": (28, 56, 112, 168),
}
DIALS: dict[str, tuple[dict[str, Any], ...]] = {
    "probes": tuple({"scheme": "independent", "probes": r} for r in (8, 16, 32, 64, 128)),
    "bits": tuple({"scheme": "spectral", "bits": bits} for bits in (0.25, 0.5, 1.0, 2.0, 4.0)),
}
LEARNING_STEPS = 3
"""Steps after which spectral layers have a plan from what they saw."""


@dataclass(frozen=True)
class GrowthCell:
    """One row: a layer at one value of a dial, all else being equal."""

    device: str
    dial: str
    value: float
    scheme: str
    setting: float
    exact_step_seconds: float
    step_seconds: float
    kept_bytes: int


def kept_bytes(layer: nn.Module, input: Tensor) -> int:
    """Return the bytes that a call of ``layer`` keeps, without its weight."""
    storages: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in layer.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        output = layer(input)
    del output
    return sum(storages.values())


def measure(
    dial: str, value: float, sizes: dict[str, int], settings: Sequence[dict[str, Any]],
    device: str, seconds: float,
) -> list[GrowthCell]:  # fmt: skip
    """Return the rows of layers with these ``settings`` at one size."""
    print(f"{dial} {value:g}", file=sys.stderr)
    torch.manual_seed(0)
    batch, channels, size = sizes["batch"], sizes["channels"], sizes["image_size"]
    input = smooth_images((batch, channels, size, size), torch.float32, device)
    exact = nn.Conv2d(channels, OUTPUTS, 3, padding=1).to(device)
    grad_output = torch.randn_like(exact(input))
    layers = [XConv2d(channels, OUTPUTS, 3, padding=1, **each).to(device) for each in settings]
    steps = [step_of(layer, input, grad_output) for layer in layers]
    for step in steps:
        step(LEARNING_STEPS)
    exact_seconds, times = compare(step_of(exact, input, grad_output), steps, seconds)
    return [
        GrowthCell(
            device, dial, value, each["scheme"], each.get("probes") or each["bits"],
            exact_seconds, own, kept_bytes(layer, input),
        )
        for each, own, layer in zip(settings, times, layers, strict=True)
    ]  # fmt: skip


def cells(device: str, quick: bool) -> Iterator[list[GrowthCell]]:
    """Yield the rows of one size after the other."""
    base, seconds = (QUICK_BASE, QUICK_SECONDS) if quick else (BASE, SECONDS)
    for dial, values in SIZES.items():
        for number, value in enumerate(values):
            grown = base[dial] * 2**number if quick else value
            shown = grown**2 if dial == "image_size" else grown
            name = "pixels" if dial == "image_size" else dial
            yield measure(name, shown, base | {dial: grown}, USUAL, device, seconds)
    for dial, settings in DIALS.items():
        for setting in settings:
            yield measure(dial, setting[dial], base, [setting], device, seconds)


def main(words: Sequence[str] | None = None) -> None:
    """Measure and write each row at once, then the table of the page."""
    given = parsed(parser(__doc__), words)
    settle_heap()
    record(
        given.folder / f"growth_{given.device}.csv", GrowthCell, cells(given.device, given.quick)
    )
    made = made_by("growth", words, given.device)
    performance_page.update(given.folder, given.device, "growth", made)


if __name__ == "__main__":
    main()
