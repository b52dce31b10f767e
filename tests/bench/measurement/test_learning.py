"""Nothing learns from the batch that is measured: ``spectral`` plans by what others showed."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from heard import outcome_of
from own_networks import name
from torch import Tensor, nn

from xconv import Plan, convert
from xconv.budget import Member
from xconv.plan import Setting
from xconv.planning.measuring import Steps, measure_error
from xconv.state import state_of
from xconv_bench.configuration import (
    AdviceConfiguration,
    AverageErrorConfiguration,
    Configuration,
    ErrorConfiguration,
    GradientConfiguration,
    VarianceConfiguration,
)
from xconv_bench.data import Batch
from xconv_bench.data.minibatches import minibatch_apart, random_minibatches
from xconv_bench.data.sources import DataOptions, Synthetic
from xconv_bench.measurement import comparison
from xconv_bench.measurement.advice import AdviceMeasurement
from xconv_bench.measurement.average_error import AverageErrorMeasurement
from xconv_bench.measurement.comparison import GradientComparison, Start
from xconv_bench.measurement.error import ErrorMeasurement
from xconv_bench.measurement.gradient_error import gradient_error
from xconv_bench.measurement.measure import Measurement
from xconv_bench.measurement.training import build
from xconv_bench.measurement.variance import VarianceMeasurement

SIDE, SIZE = 16, 3
CELL = GradientConfiguration(
    name("plain"), "xconv", "spectral", compress="conv", first="compressed", allot="network",
    bits=0.5, batch_size=SIZE, image_size=SIDE, data="synthetic", samples=12,
)  # fmt: skip
START = Start(DataOptions("synthetic", samples=12))
(MEASURED,) = random_minibatches(12, SIZE, 1, CELL.seed)

Taught = set[int]


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> Iterator[Taught]:
    """Numbers of the synthetic samples in whose batch a layer has looked at anything."""
    compared = GradientComparison(CELL.as_exact(), START)
    known = {
        tuple(compared.samples.batch([number]).input.flatten().tolist()): number
        for number in range(4 * SIZE + 12)
    }
    numbers: Taught = set()
    running: list[int] = []
    see = Member.see_input

    def note(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        images = arguments[0]
        if tuple(images.shape[1:]) == (3, SIDE, SIDE) and type(images) is Tensor:
            running[:] = [known.get(tuple(image.flatten().tolist()), -1) for image in images]

    def see_and_note(self: Member, input: Tensor) -> None:
        numbers.update(running)
        see(self, input)

    monkeypatch.setattr(Member, "see_input", see_and_note)
    hook = nn.modules.module.register_module_forward_pre_hook(note)
    yield numbers
    hook.remove()


def test_the_error_of_a_batch_is_that_of_a_plan_from_another(taught: Taught) -> None:
    outcome_of(ErrorMeasurement(CELL.extended(ErrorConfiguration, repeats=8), START))
    assert len(taught) == SIZE and not taught & set(MEASURED) and taught <= set(range(12))


def test_minibatches_whose_scatter_is_measured_teach_nothing(taught: Taught) -> None:
    cell = CELL.extended(VarianceConfiguration, minibatches=3, repeats=3)
    outcome_of(VarianceMeasurement(cell, START))
    measured = set(chain.from_iterable(random_minibatches(12, SIZE, 3, CELL.seed)))
    assert len(taught) == SIZE and not taught & measured


def test_where_all_data_are_measured_others_are_made(taught: Taught) -> None:
    outcome = outcome_of(
        AverageErrorMeasurement(CELL.extended(AverageErrorConfiguration), START, 2)
    )
    assert len(taught) == SIZE and min(taught) >= 12
    assert "learnt" not in outcome.message


def test_the_memory_command_draws_another_batch_to_learn_from(taught: Taught) -> None:
    """The one that is measured has the samples 0 to 2 of the seed."""
    names = Configuration.__dataclass_fields__
    cell = Configuration(**{key: value for key, value in CELL.key.items() if key in names})
    gradient_error(cell)
    assert taught == set(range(SIZE, 2 * SIZE))
    taught.clear()
    outcome = outcome_of(Measurement(cell, timed_steps=1))
    assert (
        outcome.readings["gradient_relative_error"]
        == (gradient_error(cell)["gradient_relative_error"])
    )


def test_advice_is_chosen_and_judged_by_batches_that_taught_nothing(
    taught: Taught, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = CELL.extended(AdviceConfiguration, repeats=1, target_error=0.2)
    drawn: list[set[int]] = []
    batch = Synthetic.batch

    def draw(self: Synthetic, numbers: list[int]) -> Batch:
        drawn.append(set(numbers))
        return batch(self, numbers)

    monkeypatch.setattr(Synthetic, "batch", draw)
    outcome_of(AdviceMeasurement(cell, START, tmp_path / "plan.toml"))
    choosing, earlier, judging = drawn
    assert choosing == set(MEASURED) and taught == earlier
    assert not choosing & earlier and not judging & (choosing | earlier)


def test_the_error_of_a_plan_is_measured_after_another_batch(taught: Taught) -> None:
    compared = GradientComparison(CELL.as_exact(), START)
    model, samples = compared.model, compared.samples

    def steps(numbers: range) -> Steps:
        batch = samples.batch(numbers)
        loss = compared.objective.loss
        return Steps(model, (batch.input,), lambda output: loss(output, batch.target))

    plan = Plan({"2": Setting(scheme="spectral", bits=0.5)})
    assert measure_error(steps(range(3)), plan, 4, earlier=steps(range(3, 6))) > 0
    assert taught == {3, 4, 5}


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ({"scheme": "spectral"}, "learnt from 3 samples, 2 of them among the 3 measured: the data"),
        ({"scheme": "independent", "probes": 2, "bits": None, "allot": "layer"}, None),
    ],
    ids=["learns", "does not"],
)
def test_data_without_other_samples_are_spoken_of(
    monkeypatch: pytest.MonkeyPatch, scheme: dict[str, Any], said: str | None
) -> None:
    monkeypatch.setattr(Synthetic, "reach", property(len))
    cell = replace(CELL, samples=4, **scheme).extended(ErrorConfiguration, repeats=2)
    start = Start(DataOptions("synthetic", samples=4))
    message = outcome_of(ErrorMeasurement(cell, start)).message
    assert said in message if said else "learnt" not in message


def test_the_error_is_that_of_a_loop_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step with one batch; then, from there again and again, one with the batch measured."""
    monkeypatch.setattr(comparison, "_seed", lambda kind, *parts: int(parts[-1]))
    repeats = 4
    row = outcome_of(
        ErrorMeasurement(CELL.extended(ErrorConfiguration, repeats=repeats), START)
    ).rows["error"][-1]

    samples = GradientComparison(CELL.as_exact(), START).samples
    architecture, exact = build(CELL.as_exact())
    earlier, batch = (
        samples.batch(numbers)
        for numbers in (minibatch_apart(samples, SIZE, CELL.seed, MEASURED), MEASURED)
    )

    def gradients(model: nn.Module, images: Any) -> Tensor:
        model.zero_grad()
        architecture.objective.loss(model(images.input), images.target).backward()
        return torch.cat([m.weight.grad.flatten() for m in model if hasattr(m, "stride")]).double()

    def squared_error(earlier: Any) -> float:
        model = copy.deepcopy(exact)
        convert(model, scheme="spectral", bits=0.5, compress=["conv"], first="compressed")
        gradients(model, earlier)
        found = []
        for repeat in range(repeats):
            torch.manual_seed(repeat)
            found.append(gradients(copy.deepcopy(model), batch))
        reference = gradients(exact, batch)
        squares = [float((each - reference).square().sum()) for each in found]
        return sum(squares) / repeats / float(reference.square().sum())

    assert row["relative_error"] ** 2 == pytest.approx(squared_error(earlier), rel=1e-6)
    assert row["relative_error"] ** 2 != pytest.approx(squared_error(batch), rel=1e-3)


def plans(model: nn.Module) -> list[Any]:
    """The plan of each layer that has one."""
    states = [state_of(module) for module in model.modules()]
    return [s.member.plan for s in states if s is not None and s.member is not None]


@pytest.mark.parametrize(
    "use",
    [
        lambda compared, batch: list(compared.estimates(batch, 0, repeats=4)),
        lambda compared, batch: compared.saved_bytes(batch),
    ],
    ids=["estimates", "saved bytes"],
)
def test_what_was_learnt_stays(use: Callable[[GradientComparison, Any], Any]) -> None:
    """Plans of training are renewed after one, two, four calls: not while one is measured."""
    compared = GradientComparison(CELL, START)
    with pytest.raises(AssertionError, match="call learn"):
        use(compared, compared.samples.batch(MEASURED))
    compared.learn([MEASURED])
    before = plans(compared.model)
    use(compared, compared.samples.batch(MEASURED))
    assert all(plan is not None for plan in before)
    assert all(one is other for one, other in zip(before, plans(compared.model), strict=True))
