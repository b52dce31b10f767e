"""Weights from files, whatever these hold, and whether they fit a network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from xconv_bench.errors import UsageError
from xconv_bench.models.weight_files import put_weights, read_weights


def network(classes: int = 5) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, classes))


def distributed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"module.{name}": tensor for name, tensor in weights.items()}


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda weights: weights,
        lambda weights: {"epoch": 3, "state_dict": weights, "loss": torch.tensor(0.5)},
        lambda weights: {"optimizer": {}, "model": weights},
        distributed,
        lambda weights: {"model": distributed(weights)},
        lambda weights: {name: nn.Parameter(tensor, False) for name, tensor in weights.items()},
    ],
    ids=["plain", "state_dict", "model", "distributed", "both", "parameters"],
)
def test_all_weights_arrive(tmp_path: Path, wrapped: Callable[[Any], Any]) -> None:
    path = tmp_path / "weights.pt"
    weights = {
        name: torch.rand(tensor.shape) if tensor.is_floating_point() else tensor + 7
        for name, tensor in network().state_dict().items()
    }
    torch.save(wrapped(weights), path)
    model = network()
    put_weights(model, read_weights(path), "weights.pt", "")
    assert model.state_dict().keys() == weights.keys()
    for name, tensor in model.state_dict().items():
        assert tensor.equal(weights[name]), name


def test_a_network_whose_own_names_begin_like_a_distributed_one() -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(2, 2)

    expected = Wrapper()
    model = Wrapper()
    put_weights(model, dict(expected.state_dict()), "", "")
    assert model.module.weight.equal(expected.module.weight)


def test_half_precision_becomes_the_networks(tmp_path: Path) -> None:
    torch.save(network().half().state_dict(), tmp_path / "half.pt")
    model = network()
    put_weights(model, read_weights(tmp_path / "half.pt"), "", "")
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_what_old_versions_did_not_save() -> None:
    weights = dict(network().state_dict())
    del weights["1.num_batches_tracked"]
    put_weights(network(), weights, "", "")


def save_garbage(path: Path) -> None:
    path.write_text("these are no weights")


def save_half_of_it(path: Path) -> None:
    torch.save(network().state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (lambda path: None, "cannot be read: No such file or directory"),
        (Path.mkdir, "cannot be read: Is a directory"),
        (Path.touch, "is damaged or holds no weights"),
        (save_garbage, "is damaged or holds no weights"),
        (save_half_of_it, "is damaged or holds no weights"),
        (lambda path: torch.save(network(), path), "is damaged or holds no weights"),
        (lambda path: torch.save(torch.zeros(3), path), "holds no weights"),
        (lambda path: torch.save({}, path), "holds no weights"),
        (lambda path: torch.save({"model": {"epoch": 3}}, path), "holds no weights"),
        (lambda path: torch.save({1: torch.zeros(3)}, path), "holds no weights"),
    ],
    ids=[
        "missing", "directory", "empty", "garbage", "cut off", "network", "tensor", "nothing",
        "nothing inside", "no names",
    ],
)  # fmt: skip
def test_files_that_are_something_else(
    tmp_path: Path, save: Callable[[Path], Any], message: str
) -> None:
    path = tmp_path / "weights.pt"
    save(path)
    with pytest.raises(UsageError) as caught:
        read_weights(path)
    text = str(caught.value)
    assert text.startswith(f"{path} {message}")
    assert "expected what torch.save(network.state_dict(), FILE) writes" in text
    assert "\n" not in text


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "attacked",)

    torch.save({"model": Attack()}, tmp_path / "weights.pt")
    with pytest.raises(UsageError):
        read_weights(tmp_path / "weights.pt")
    assert not (tmp_path / "attacked").exists()


def change(**changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    weights = dict(network().state_dict())
    for name, tensor in changes.items():
        if tensor is None:
            del weights[name]
        else:
            weights[name] = tensor
    return weights


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (network(7).state_dict(), "3.weight is (7, 8), expected (5, 8) (and 1 more)"),
        (change(**{"0.bias": None}), "0.bias is missing, expected (8,)"),
        (change(extra=torch.zeros(2)), "extra is no weight of this network"),
        (
            {"a": torch.zeros(2), "b": torch.zeros(2)},
            "0.weight is missing, expected (8, 3, 3, 3) (and 9 more)",
        ),
    ],
    ids=["shape", "missing", "unexpected", "foreign"],
)
def test_weights_of_another_network(weights: dict[str, torch.Tensor], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        put_weights(network(), weights, "old.pt", "take another")
    assert str(caught.value) == f"old.pt does not fit the network: {words}; take another"
