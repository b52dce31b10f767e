"""Weights that measurements start from: where they come from, and the warm-up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from own_networks import name
from torch import nn

from xconv_bench.configuration import GradientConfiguration
from xconv_bench.data.sources import DataOptions
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.events import Message, Progress
from xconv_bench.measurement import warm_up
from xconv_bench.measurement.starting_weights import (
    StartingWeights,
    file_name,
    load_starting_weights,
    needs_file,
)
from xconv_bench.measurement.training import build

CELL = GradientConfiguration(name("normalized"), image_size=12, data="synthetic", samples=40)
PROBED = {"method": "xconv", "scheme": "multi", "probes": 4, "compress": "conv"}

Readings = list[dict[str, Any]]
State = dict[str, torch.Tensor]


def make(cell: GradientConfiguration, path: Path) -> tuple[Readings, State]:
    """Return all that was yielded, and the network's state once the weights are in it."""
    data = DataOptions(name=cell.data, samples=cell.samples)
    events = list(StartingWeights(cell, data, download=False, path=path)())
    model = network(replace(cell, seed=cell.seed + 1))
    load_starting_weights(model, path)
    return events, model.state_dict()


def network(cell: GradientConfiguration) -> nn.Module:
    return build(replace(cell.as_exact(), dtype="float32"))[1]


def are_equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(one[key].equal(other[key]) for key in one)


def test_random_weights_are_those_of_the_measurement(tmp_path: Path) -> None:
    events, state = make(CELL, tmp_path / "weights" / "start.pt")
    assert events == []
    assert are_equal(state, network(CELL).state_dict())
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["start.pt"]


def test_weights_of_a_file(tmp_path: Path) -> None:
    weights = network(replace(CELL, seed=5)).state_dict()
    torch.save({"state_dict": weights}, tmp_path / "mine.pt")
    cell = replace(CELL, weights=str(tmp_path / "mine.pt"))
    assert are_equal(make(cell, tmp_path / "start.pt")[1], weights)


def test_weights_that_torchvision_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    cell = replace(CELL, model="squeezenet1_1", image_size=32, weights="torchvision")
    with pytest.raises(UsageError, match="--download fetches them"):
        make(cell, tmp_path / "start.pt")
    weights = network(replace(cell, seed=5)).state_dict()
    (tmp_path / "checkpoints").mkdir()
    torch.save(weights, tmp_path / "checkpoints" / "squeezenet1_1-b8a52dc0.pth")
    assert are_equal(make(cell, tmp_path / "start.pt")[1], weights)


@pytest.mark.parametrize(
    ("save", "words"),
    [
        (lambda path: None, "mine.pt cannot be read: No such file or directory"),
        (
            lambda path: torch.save(network(replace(CELL, model=name("plain"))).state_dict(), path),
            "mine.pt does not fit the network: 1.weight is missing, expected (8,) (and 12 more)",
        ),
    ],
    ids=["missing", "of another network"],
)
def test_a_file_that_cannot_be_used(
    tmp_path: Path, save: Callable[[Path], None], words: str
) -> None:
    save(tmp_path / "mine.pt")
    with pytest.raises(UsageError) as caught:
        make(replace(CELL, weights=str(tmp_path / "mine.pt")), tmp_path / "start.pt")
    assert words in str(caught.value)
    assert not (tmp_path / "start.pt").exists()


def test_the_warm_up_trains(tmp_path: Path) -> None:
    cell = replace(CELL, model=name("plain"), warmup_steps=30)
    events, state = make(cell, tmp_path / "start.pt")
    *progress, message = events
    assert progress == [Progress(step / 30) for step in range(1, 31)]
    assert isinstance(message, Message)
    text = message.text
    assert text.startswith("warm-up of 30 steps with batches of 40: loss ")
    first, last = (float(part.split()[0]) for part in text.split("loss ")[1].split(", "))
    assert last < 0.9 * first
    assert not any(state[key].equal(tensor) for key, tensor in network(cell).state_dict().items())


def test_one_step_is_one_of_adam_with_the_published_settings(tmp_path: Path) -> None:
    """The first step of Adam moves each weight by the learning rate, whatever its gradient."""
    cell = replace(CELL, model=name("plain"), warmup_steps=1)
    _, state = make(cell, tmp_path / "start.pt")
    before = network(cell).state_dict()
    moved = torch.cat([(state[key] - before[key]).abs().flatten() for key in before])
    assert moved.median().item() == pytest.approx(1e-3, rel=1e-3)
    assert moved.max().item() < 1.001e-3


def test_the_warm_up_repeats(tmp_path: Path) -> None:
    """Dropout, minibatches and statistics of batch normalisation too, whatever the method."""
    cell = replace(CELL, warmup_steps=3, samples=150)
    _, first = make(cell, tmp_path / "first.pt")
    torch.manual_seed(123)
    measured = replace(cell, **PROBED, batch_size=7, dtype="bfloat16")
    assert are_equal(first, make(measured, tmp_path / "second.pt")[1])
    assert not are_equal(first, make(replace(cell, seed=1), tmp_path / "third.pt")[1])
    assert not are_equal(first, make(replace(cell, samples=149), tmp_path / "fourth.pt")[1])
    assert first["1.num_batches_tracked"] == 3


def test_a_warm_up_that_diverges(tmp_path: Path) -> None:
    weights = network(CELL).state_dict()
    weights["0.weight"] *= float("nan")
    torch.save(weights, tmp_path / "mine.pt")
    cell = replace(CELL, weights=str(tmp_path / "mine.pt"), warmup_steps=4)
    with pytest.raises(BenchError, match="the loss is nan in step 1 of 4 of the warm-up: take few"):
        make(cell, tmp_path / "start.pt")
    assert not (tmp_path / "start.pt").exists()


def test_weights_that_overflow_behind_a_finite_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_up, "LEARNING_RATE", float("inf"))
    with pytest.raises(BenchError, match="weights are not finite in step 1 of 2 of the warm-up"):
        make(replace(CELL, warmup_steps=2), tmp_path / "start.pt")


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "weights").touch()
    with pytest.raises(BenchError, match="cannot be used") as caught:
        make(CELL, tmp_path / "weights" / "start.pt")
    assert caught.value.exit_code == 1


def test_a_network_that_was_changed_since(tmp_path: Path) -> None:
    make(CELL, tmp_path / "start.pt")
    with pytest.raises(
        UsageError, match=r"does not fit the network.*delete it, so that it is made"
    ):
        load_starting_weights(network(replace(CELL, model=name("plain"))), tmp_path / "start.pt")


def test_only_drawn_weights_need_no_file() -> None:
    assert not needs_file(CELL)
    assert needs_file(replace(CELL, warmup_steps=1))
    assert needs_file(replace(CELL, weights="torchvision"))


def test_names_tell_all_that_decides_the_weights_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").write_text("some weights")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.pt").write_text("others, same name")
    changes: list[dict[str, Any]] = [
        {"model": name("plain")}, {"model": "other/own_networks.py:normalized"},
        {"image_size": 13}, {"data": "photos"}, {"samples": 41}, {"weights": "torchvision"},
        {"warmup_steps": 1}, {"seed": 1}, {"weights": str(tmp_path / "mine.pt")},
        {"weights": str(tmp_path / "other" / "mine.pt")},
    ]  # fmt: skip
    names = [file_name(cell) for cell in (CELL, *(replace(CELL, **change) for change in changes))]
    assert len(set(names)) == len(changes) + 1
    assert file_name(replace(CELL, **PROBED, batch_size=3, dtype="bfloat16")) == names[0]
    assert names[0].startswith("own_networks.py_normalized-12px-random-synthetic40-steps0-seed0-")
    assert all(found.endswith(".pt") and "/" not in found for found in names)
    assert len(file_name(replace(CELL, model="a" * 999))) < 255


def test_a_file_of_other_contents_is_another(tmp_path: Path) -> None:
    cell = replace(CELL, weights=str(tmp_path / "mine.pt"))
    names = []
    for content in ("one", "three", "one"):
        (tmp_path / "mine.pt").write_text(content)
        names.append(file_name(cell))
    assert names[0] == names[2] != names[1]


def test_a_missing_file_has_no_name() -> None:
    with pytest.raises(
        UsageError, match=r"--weights torchvison cannot be read.*expected random, to"
    ):
        file_name(replace(CELL, weights="torchvison"))
