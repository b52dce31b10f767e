"""The parts of a training step."""

import pytest
import torch
from own_networks import name
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from xconv import XConv2d
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported, UsageError
from xconv_bench.measurement.training import prepare, prepare_simulated, remark


def probed(network: str, **settings: object) -> Configuration:
    knobs = {"scheme": "independent", "probes": 4, "compress": "conv,relu"}
    settings = {"batch_size": 2, "image_size": 12, **knobs, **settings}
    return Configuration(name(network), "xconv", **settings)  # type: ignore[arg-type]


def test_the_method_is_applied_and_the_network_trains() -> None:
    training = prepare(probed("plain", dtype="float64"))
    assert any(isinstance(module, XConv2d) for module in training.model.modules())
    assert training.model.training
    assert {tensor.dtype for tensor in training.state()} == {torch.float64}
    assert training.batch.input.dtype == torch.float64
    training.step()
    assert all(parameter.grad is not None for parameter in training.model.parameters())


def test_weights_and_samples_follow_from_the_seed() -> None:
    def weights(configuration: Configuration) -> list[torch.Tensor]:
        training = prepare(configuration)
        return [*training.state(), *training.batch]

    exact = Configuration(name("normalized"), batch_size=2, image_size=12)
    other = Configuration(name("normalized"), batch_size=2, image_size=12, seed=1)
    torch.manual_seed(123)
    first = weights(exact)
    assert all(a.equal(b) for a, b in zip(first, weights(exact), strict=True))
    assert all(a.equal(b) for a, b in zip(first, weights(probed("normalized")), strict=True))
    assert not first[0].equal(weights(other)[0])
    assert not first[-2].equal(weights(other)[-2])


def test_lazy_modules_get_their_shapes_first() -> None:
    training = prepare(Configuration(name("perceptron"), batch_size=2, image_size=6))
    assert type(training.model[1]) is nn.Linear
    assert training.size() == {"parameters": 3 * 6 * 6 * 5 + 5, "convolutions": 0}
    assert training.model.training


def test_size_counts_probed_convolutions() -> None:
    assert prepare(probed("plain")).size()["convolutions"] == 2


def test_a_simulated_network_has_no_numbers() -> None:
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    training = prepare_simulated(probed("normalized", batch_size=5, dtype="bfloat16"), mode)
    assert all(isinstance(tensor, FakeTensor) for tensor in training.state())
    assert all(isinstance(tensor, FakeTensor) for tensor in training.batch)
    assert isinstance(training.model[0].weight, nn.Parameter)
    assert training.model[0].weight.dtype == torch.bfloat16
    assert training.batch.input.shape == (5, 3, 12, 12)


def test_what_cannot_be_prepared() -> None:
    with pytest.raises(Unsupported, match="perceptron has no module that xconv can swap"):
        prepare(probed("perceptron"))
    with pytest.raises(UsageError, match="did you mean resnet50"):
        prepare(Configuration("resnet5"))
    with pytest.raises(UsageError, match=r"not today, nor tomorrow \(own_networks.py, line"):
        prepare(Configuration(name("fails")))


def test_all_outputs_are_trained_and_the_row_says_so() -> None:
    """Three scales: each has a gradient, and what has none is counted."""
    cell = Configuration(name("detector"), batch_size=2, image_size=16)
    training = prepare(cell)
    training.step()
    without = [n for n, p in training.model.named_parameters() if p.grad is None]
    assert without == ["unused.weight", "unused.bias"]
    assert remark(training, cell) == (
        "loss: mean square of output.scales[0], output.scales[1], output.scales[2]; not in the "
        "loss: output.classes (int64); 2 of 14 parameters get no gradient from it"
    )


def test_rows_that_are_not_the_batch_are_no_error() -> None:
    cell = Configuration(name("consensus"), batch_size=8, image_size=8)
    training = prepare(cell)
    training.step()
    assert remark(training, cell) == "loss: cross-entropy (2 rows, 8 samples) of output"


def test_a_loss_that_is_given_is_not_talked_about() -> None:
    cell = Configuration("paper/cifar", batch_size=2, image_size=32)
    training = prepare(cell)
    training.step()
    assert remark(training, cell) == ""


def test_the_simulation_says_the_same_of_the_loss() -> None:
    cell = Configuration(name("detector"), batch_size=2, image_size=16)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    training = prepare_simulated(cell, mode)
    with mode:
        training.step()
    assert "output.scales[2]; not in the loss: output.classes" in remark(training, cell)


def test_lazy_networks_that_take_no_single_sample_get_their_shapes_from_a_batch() -> None:
    training = prepare(Configuration(name("lazy_groups"), batch_size=8, image_size=12))
    training.step()
    assert type(training.model[1]) is nn.Linear
