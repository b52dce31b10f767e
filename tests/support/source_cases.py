"""Checks that hold for a network whatever package it comes from."""

from xconv_bench.configuration import Configuration
from xconv_bench.data.batches import batch
from xconv_bench.measurement.counting import Simulation, count
from xconv_bench.measurement.training import dtype_of, prepare
from xconv_bench.models import find

XCONV = {
    "method": "xconv", "scheme": "independent", "probes": 2, "compress": "conv,relu",
    "first": "exact", "allot": "layer",
}  # fmt: skip


def check_simulated(model: str, image_size: int) -> Configuration:
    """Check that steps, exact and converted, take the bytes that are simulated, and train.

    Returns the configuration of the converted network, which keeps less.
    """
    saved = []
    for knobs in ({"method": "exact"}, XCONV):
        cell = Configuration(model, **knobs, batch_size=2, image_size=image_size)  # type: ignore[arg-type]
        training = prepare(cell)
        for _ in range(2):
            assert training.step().isfinite()
        real, simulated = count(training), Simulation(cell).count(2)
        assert simulated.peak_bytes == real.peak_bytes
        assert simulated.saved_bytes == real.saved_bytes
        saved.append(real.saved_bytes)
    assert saved[1] < saved[0]
    return cell


def loss_of(model: str, image_size: int) -> float:
    """Return the loss of the first step of a network, in training."""
    cell = Configuration(model, batch_size=2, image_size=image_size)
    training = prepare(cell)
    loss = training.step()
    assert loss.isfinite()
    return loss.item()


def inputs_of(model: str, image_size: int) -> object:
    """Return what a network is given, at a batch of two."""
    cell = Configuration(model)
    return batch(find(model), 2, image_size, dtype_of(cell), "cpu", 0).input
