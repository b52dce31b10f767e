"""What a training step is made of."""

import pytest
import torch
from own_networks import name
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from xconv import XConv2d
from xconv_bench.configuration import Configuration
from xconv_bench.errors import Unsupported, UsageError
from xconv_bench.measurement.training import prepare, prepare_simulated


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
