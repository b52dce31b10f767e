"""Memory of a training step counted tensor by tensor: really computed, or simulated."""

from typing import Any

from torch._subclasses.fake_tensor import FakeTensorMode

from xconv_bench.configuration import Configuration
from xconv_bench.measurement.training import Training, prepare_simulated, remark
from xconv_bench.meters.live import LiveMeter
from xconv_bench.meters.saved import SavedMeter


def count(training: Training) -> dict[str, int]:
    """``live_peak_bytes`` and ``saved_bytes`` of a step that is not the first.

    Gradients of the step before are there until ``zero_grad``, as they are in training.
    """
    live = LiveMeter(training.batch.input.device)
    live.track(training.batch)
    live.track_model(training.model)
    live.reset_peak()
    saved = SavedMeter(training.state())
    with live:
        with saved:
            loss = training.forward()
        readings = saved.reading
        training.zero_grad()
        training.backward(loss)
    return {**live.reading, **readings}


def simulate(configuration: Configuration) -> dict[str, Any]:
    """``simulated_peak_bytes``, ``saved_bytes`` and the size of the network; nothing is computed.

    The same count as ``count``, on tensors that have a shape and no contents.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    training = prepare_simulated(configuration, mode)
    with mode:
        training.step()
        readings = count(training)
    return {
        "simulated_peak_bytes": readings["live_peak_bytes"],
        "saved_bytes": readings["saved_bytes"],
        **training.size(),
        "message": remark(training, configuration),
    }
