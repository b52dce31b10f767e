"""Our simulated peak beside that of torch's own tracker: the same bytes."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from own_networks import name
from torch._subclasses.fake_tensor import FakeTensorMode

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.measurement.simulated import simulate
from xconv_bench.measurement.simulating import simulating
from xconv_bench.measurement.training import prepare_simulated

BLOCK = 512
EXACT = Configuration("", batch_size=4, image_size=32, device=SIMULATED)
METHODS = {
    "exact": EXACT,
    "xconv": replace(
        EXACT, method="xconv", scheme="independent", probes=2, distribution="rademacher",
        compress="conv,relu",
    ),
    "checkpoint": replace(EXACT, method="checkpoint"),
}  # fmt: skip
NETWORKS = [name("normalized"), name("residual"), "resnet18", "squeezenet1_1"]


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's tracker rounds to the blocks of the CUDA allocator on CUDA alone."""
    from torch.distributed._tools import mem_tracker  # half a compiler

    def rounded(self: Any) -> int:
        return -(-self.size * self.element_size // BLOCK) * BLOCK

    monkeypatch.setattr(mem_tracker._WeakRefInfo, "_calculate_mem_consumed", rounded)


def peak_of_torch(configuration: Configuration) -> int:
    """Return the peak of a later step: gradients of the one before live until ``zero_grad``."""
    from torch.distributed._tools.mem_tracker import MemTracker

    mode = FakeTensorMode(allow_non_fake_inputs=True)
    training = prepare_simulated(configuration, mode)
    with simulating(mode):
        training.step()
        tracker = MemTracker()
        # The batch is no input to it: it would watch for its end, and it never ends.
        tracker.track_external(training.model, *training.batch)
        with tracker:
            training.step()
    peak: int = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]
    return peak


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.split(":")[-1])
def test_the_peak_is_that_of_torchs_tracker(in_blocks: None, network: str, method: str) -> None:
    if (method, network) == ("checkpoint", name("residual")):
        pytest.skip("it has no blocks")
    configuration = replace(METHODS[method], model=network)
    assert simulate(configuration)["simulated_peak_bytes"] == peak_of_torch(configuration) > 0
