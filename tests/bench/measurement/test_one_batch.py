"""Inputs of the user's own: the same batch every time is noticed, and any form is taken."""

from dataclasses import replace
from pathlib import Path

import pytest
from heard import outcome_of

from xconv_bench.configuration import SIMULATED, Configuration, ErrorConfiguration
from xconv_bench.data.sources import DataOptions
from xconv_bench.measurement.comparison import GradientComparison, Start
from xconv_bench.measurement.error import ErrorMeasurement
from xconv_bench.measurement.explaining import EXPLANATION, Explaining
from xconv_bench.measurement.gradient_error import gradient_error
from xconv_bench.models import own_data

FILE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3)

    def forward(self, image, *, scale):
        return self.second(self.first(image) * scale).mean((2, 3))

def fixed(batch_size, image_size):
    generator = torch.Generator().manual_seed(0)
    shape = (batch_size, 2, image_size, image_size)
    return {"image": torch.randn(shape, generator=generator), "scale": torch.ones(())}

def drawn(batch_size, image_size):
    return {"image": torch.randn(batch_size, 2, image_size, image_size), "scale": torch.ones(())}
"""
SPECTRAL = Configuration(
    "", "xconv", "spectral", compress="conv", first="compressed", allot="network", bits=0.5,
    batch_size=2, image_size=12,
)  # fmt: skip
START = Start(DataOptions("synthetic", samples=8))
SAME = "--inputs gives the same batch every time"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "one_batch.py"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(("inputs", "is_same"), [("fixed", True), ("drawn", False)])
@pytest.mark.parametrize("scheme", ["spectral", "independent"])
def test_the_same_batch_is_noticed_where_a_method_learns(
    path: Path, inputs: str, is_same: bool, scheme: str
) -> None:
    name = own_data.named(f"{path}:Net", inputs=f"{path}:{inputs}")
    cell = replace(SPECTRAL, model=name)
    if scheme != "spectral":
        cell = replace(cell, scheme=scheme, bits=None, probes=2, allot="layer")
    expected = is_same and scheme == "spectral"
    assert (SAME in gradient_error(cell)["message"]) == expected
    error = cell.extended(ErrorConfiguration, data="synthetic", samples=8, repeats=2)
    outcome = outcome_of(ErrorMeasurement(error, START))
    assert (SAME in outcome.message) == expected
    assert "\n" not in outcome.message


def test_at_half_precision_inputs_may_have_names(path: Path) -> None:
    name = own_data.named(f"{path}:Net", inputs=f"{path}:drawn")
    cell = replace(SPECTRAL.as_exact(), model=name, dtype="bfloat16")
    comparison = GradientComparison(
        cell.extended(ErrorConfiguration, data="synthetic", samples=8, repeats=2), START
    )
    batch = comparison.samples.batch([0, 1])
    exact, rounded = comparison.exact(batch, 0), comparison.rounded(batch, 0)
    assert rounded is not None and {str(g.dtype) for g in exact.values()} == {"torch.float64"}
    for layer, gradient in exact.items():
        distance = (rounded[layer].double() - gradient).norm() / gradient.norm()
        assert 0 < distance < 0.05, layer


def test_what_holds_the_memory_is_known_whatever_the_form_of_the_batch(path: Path) -> None:
    name = own_data.named(f"{path}:Net", inputs=f"{path}:drawn")
    cell = replace(SPECTRAL.as_exact(), model=name, device=SIMULATED)
    explanation = outcome_of(Explaining(cell)).readings[EXPLANATION]
    batch_bytes = 2 * 2 * 12 * 12 * 4
    saved = sum(held.saved_bytes for held in explanation.held)
    assert saved > batch_bytes
    assert sum(explanation.peak.parts.values()) == explanation.peak.bytes
