"""The batch of a training step, real and simulated."""

import pytest
import torch
from torch._subclasses import FakeTensorMode

from xconv_bench.data import batch, simulated_batch
from xconv_bench.models import find

NAMES = ["squeezenet1_1", "paper/mnist", "paper/unet", "lraspp_mobilenet_v3_large", "r3d_18@2"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_simulated_and_real_batches_look_the_same(name: str, dtype: torch.dtype) -> None:
    architecture = find(name)
    real = batch(architecture, 3, 32, dtype, "cpu", seed=0)
    simulated = simulated_batch(architecture, 3, 32, dtype)
    for one, other in zip(real, simulated, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
    assert real.input.shape == (3, *architecture.sample_shape(32))
    assert real.input.dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_targets_are_a_pure_function_of_seed_and_index(name: str) -> None:
    architecture = find(name)
    large = batch(architecture, 5, 32, torch.float32, "cpu", seed=1)
    small = batch(architecture, 2, 32, torch.float32, "cpu", seed=1)
    assert torch.equal(large.target[:2], small.target)
    assert not torch.equal(large.target, batch(architecture, 5, 32, torch.float32, "cpu", 2).target)


def test_the_image_to_restore_is_not_the_input() -> None:
    sample = batch(find("paper/unet"), 2, 16, torch.float32, "cpu", seed=0)
    assert not torch.equal(sample.input, sample.target)


@pytest.mark.parametrize("name", NAMES)
def test_a_simulated_step(name: str) -> None:
    architecture = find(name)
    with FakeTensorMode():
        model = architecture.build(64)
        sample = simulated_batch(architecture, 1000, 64, torch.float32)
        loss = architecture.objective.loss(model(sample.input), sample.target)
        loss.backward()
    assert loss.shape == ()
    assert any(parameter.grad is not None for parameter in model.parameters())
