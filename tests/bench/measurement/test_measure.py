"""One configuration becomes the columns of one row, whatever cannot be had of them."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from own_networks import name
from torch import nn

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.errors import Unsupported, UsageError
from xconv_bench.events import Message
from xconv_bench.launch.outcome import Outcome
from xconv_bench.measurement import agreement, gradient_error, measure
from xconv_bench.measurement import training as training_module
from xconv_bench.measurement.agreement import disagreement, learning_moves
from xconv_bench.measurement.measure import Measurement
from xconv_bench.measurement.simulated import COUNT, simulate
from xconv_bench.measurement.training import Training, place, prepare
from xconv_bench.meters import waiting
from xconv_bench.models import Architecture
from xconv_bench.results.schema import TABLES

EXACT = Configuration(name("normalized"), batch_size=2, image_size=12)
PROBED = replace(
    EXACT, method="xconv", scheme="independent", probes=2, compress="conv,relu", first="compressed"
)

REALLY = {
    "saved_bytes",
    "parameters",
    "convolutions",
    "live_peak_bytes",
    "rss_peak_bytes",
    "forward_seconds",
    "backward_seconds",
    "step_seconds",
    "cpu_wait_part",
    "gradient_relative_error",
    "floor_error",
}


@pytest.fixture(autouse=True)
def nothing_is_said_of_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run beside other work."""
    monkeypatch.setattr(waiting, "BUSY", 1.0)


def measured(configuration: Configuration, steps: int = 1) -> Outcome:
    """The row without a process around it; what the measurement raises is raised."""
    outcome = Outcome()
    for event in Measurement(configuration, steps)():
        outcome.add(event)
    outcome.readings.pop(COUNT, None)
    return outcome


@pytest.mark.parametrize("configuration", [EXACT, PROBED], ids=["exact", "xconv"])
def test_every_column(configuration: Configuration) -> None:
    outcome = measured(configuration)
    assert outcome.readings.keys() == REALLY
    assert set(TABLES["memory"].names) >= REALLY
    assert None not in outcome.readings.values()


def test_a_busy_machine_is_remarked_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "BUSY", -1.0)
    outcome = measured(EXACT)
    assert outcome.message == waiting.REMARK
    assert 0 <= outcome.readings["cpu_wait_part"] <= 1


def test_simulation_alone() -> None:
    simulated = simulate(replace(PROBED, device=SIMULATED))
    real = measured(PROBED).readings
    assert simulated.pop("simulated_peak_bytes") == real["live_peak_bytes"]
    assert simulated.pop(COUNT).peak_bytes == real["live_peak_bytes"]
    assert simulated.pop("message") == ""
    assert simulated == {name: real[name] for name in ("saved_bytes", "parameters", "convolutions")}


def test_the_error_of_the_exact_network_is_zero() -> None:
    assert measured(EXACT).readings["gradient_relative_error"] == 0.0


def test_the_error_of_probes() -> None:
    error = measured(PROBED).readings["gradient_relative_error"]
    complete = measured(replace(PROBED, probes=10**6)).readings["gradient_relative_error"]
    assert error > 0.1
    assert complete < 1e-5


def test_the_error_follows_from_the_seed_alone() -> None:
    once, often = measured(PROBED, steps=1), measured(PROBED, steps=4)
    other = measured(replace(PROBED, seed=1))
    error = "gradient_relative_error"
    assert once.readings[error] == often.readings[error] != other.readings[error]


def test_compressed_relus_alone_change_no_gradient() -> None:
    configuration = replace(PROBED, scheme=None, probes=None, compress="relu")
    assert measured(configuration).readings["gradient_relative_error"] == 0.0


def test_measuring_changes_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[nn.Module] = []

    def keep(configuration: Configuration) -> tuple[Architecture, nn.Module]:
        architecture, model = place(configuration)
        placed.append(model)
        return architecture, model

    monkeypatch.setattr(training_module, "place", keep)
    monkeypatch.setattr(gradient_error, "place", keep)
    measured(PROBED)
    fresh = prepare(PROBED)
    for model in placed:
        for parameter, as_built in zip(model.parameters(), fresh.model.parameters(), strict=True):
            assert parameter.equal(as_built)
    assert len(placed) == 4  # with the one that was prepared to compare


def test_the_reference_has_the_weights_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's network may draw its weights from where our seed does not reach."""
    seeds = iter(range(100))

    def unseeded(configuration: Configuration) -> tuple[Architecture, nn.Module]:
        architecture, model = place(configuration)
        generator = torch.Generator().manual_seed(next(seeds))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(generator=generator)
        return architecture, model

    monkeypatch.setattr(gradient_error, "place", unseeded)
    relus = replace(PROBED, scheme=None, probes=None, compress="relu")
    assert measured(relus).readings["gradient_relative_error"] == 0.0


def failing_row(configuration: Configuration, error: type[Exception]) -> tuple[Outcome, str]:
    """Return what was known when the network failed, and the failure's text."""
    outcome = Outcome()
    with pytest.raises(error) as caught:
        for event in Measurement(configuration)():
            outcome.add(event)
    return outcome, str(caught.value)


def test_a_network_that_cannot_be_trained_says_so_once() -> None:
    single = replace(EXACT, model=name("one_pixel"), batch_size=1)
    outcome, text = failing_row(single, ValueError)
    assert "more than 1 value per channel" in text
    assert outcome.readings == {"parameters": 120, "convolutions": 1}
    assert outcome.message == ""
    assert measured(replace(single, batch_size=2)).readings["live_peak_bytes"] > 0


def test_a_method_that_cannot_be_applied_says_so_once() -> None:
    outcome, text = failing_row(replace(PROBED, model=name("perceptron")), Unsupported)
    assert "has no module that xconv can swap" in text
    assert (outcome.readings, outcome.message) == ({}, "")


def test_a_mistake_of_the_users_says_so_once() -> None:
    outcome, _ = failing_row(replace(EXACT, model="nosuch"), UsageError)
    assert outcome.message == ""


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory."),
     RuntimeError("DefaultCPUAllocator: can't allocate memory")],
    ids=["python", "cuda", "cpu"],
)  # fmt: skip
def test_the_exact_network_need_not_fit(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(configuration: Configuration) -> tuple[Architecture, nn.Module]:
        if configuration.method == "exact":
            raise error
        return place(configuration)

    monkeypatch.setattr(gradient_error, "place", refuse)
    outcome = measured(PROBED)
    assert outcome.readings.keys() == REALLY - {"gradient_relative_error", "floor_error"}
    assert outcome.message == "no gradient error: the exact network does not fit beside this one"


def test_other_failures_of_the_exact_network_are_told_and_cost_no_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(configuration: Configuration) -> tuple[Architecture, nn.Module]:
        if configuration.method == "exact":
            raise RuntimeError("shape mismatch")
        return place(configuration)

    monkeypatch.setattr(gradient_error, "place", refuse)
    outcome = measured(PROBED)
    assert outcome.readings.keys() == REALLY - {"gradient_relative_error", "floor_error"}
    assert "gradient error: RuntimeError: shape mismatch" in outcome.message


def test_a_step_that_cannot_be_counted_costs_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(training: Training) -> Any:
        raise NotImplementedError("no storage")

    monkeypatch.setattr(measure, "count", refuse)
    outcome = measured(EXACT)
    assert outcome.readings.keys() == REALLY - {"live_peak_bytes", "saved_bytes"}
    assert outcome.message.startswith("live: NotImplementedError: no storage")


def test_bits_divided_by_what_layers_saw_are_no_fault_of_the_simulation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A simulation sees no spectra; a step that has seen some divides bits otherwise."""
    monkeypatch.setattr(agreement, "TOLERANCE", 1e-6)
    learning = replace(
        EXACT, method="xconv", scheme="spectral", bits=0.5, compress="conv", first="compressed",
        allot="network", model=name("normalized"), image_size=32,
    )  # fmt: skip
    readings: dict[str, Any] = {}
    messages = []
    for event in Measurement(learning, 1)():
        match event:
            case dict():
                readings |= event
            case Message(text):
                messages.append(text)
    counted, expected = readings[COUNT], simulate(learning)[COUNT]
    assert disagreement(expected, counted) == ""
    assert readings["live_peak_bytes"] != expected.peak_bytes
    [said] = [text for text in messages if "divided by what layers saw" in text]
    assert said == learning_moves(counted, replace(counted, peak_bytes=readings["live_peak_bytes"]))


@pytest.mark.parametrize("network", ["compiled", "calls_compiled"])
def test_compiled_kernels_are_not_counted(network: str) -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    try:
        outcome = measured(replace(EXACT, model=name(network)))
    finally:
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
    assert outcome.readings.keys() == REALLY - {"live_peak_bytes", "saved_bytes"}
    assert outcome.message == "live: not counted, since compiled kernels allocate unseen"


def test_a_sparse_gradient_is_counted_by_its_parts() -> None:
    outcome = measured(replace(EXACT, model=name("sparse_gradient")))
    assert outcome.readings.keys() == REALLY
    assert outcome.message == ""


def test_what_is_known_comes_before_what_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed in a step leaves the size behind."""

    def killed(training: Training) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "step", killed)
    outcome = Outcome()
    with pytest.raises(KeyboardInterrupt):
        for event in Measurement(EXACT)():
            outcome.add(event)
    assert outcome.readings.keys() == {"parameters", "convolutions"}
