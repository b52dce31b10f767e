"""Losses of networks that label every pixel, and of those that predict noise."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from xconv_bench.errors import BenchError
from xconv_bench.objectives.automatic import AutomaticObjective
from xconv_bench.objectives.denoising import Denoising
from xconv_bench.objectives.dense import DenseCrossEntropy


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).requires_grad_()


PIXELS = torch.randint(3, (2, 4, 6), generator=torch.Generator().manual_seed(0))
MAPS = random(2, 3, 4, 6)


def test_every_pixel_has_the_cross_entropy_of_its_label() -> None:
    objective = DenseCrossEntropy.of_channels(3)
    torch.testing.assert_close(objective.loss(MAPS, PIXELS), F.cross_entropy(MAPS, PIXELS))
    assert objective.target_shape((1, 8, 4, 6)) == (8, 4, 6)


def test_one_channel_is_a_logit_of_two_classes() -> None:
    objective, logits, labels = DenseCrossEntropy.of_channels(1), random(2, 1, 4, 6), PIXELS % 2
    assert objective.classes == 2
    expected = F.binary_cross_entropy_with_logits(logits, labels[:, None].float())
    torch.testing.assert_close(objective.loss(logits, labels), expected)


def test_further_outputs_have_the_terms_that_fit_them() -> None:
    label, coarse = random(2, 5), random(2, 3, 2, 3)
    loss = DenseCrossEntropy.of_channels(3).loss((MAPS, [label, coarse]), PIXELS)
    expected = F.cross_entropy(MAPS, PIXELS) + F.cross_entropy(label, PIXELS[:, 0, 0])
    torch.testing.assert_close(loss, expected + coarse.square().mean())


def test_noise_is_predicted_by_the_first_output() -> None:
    noise, output = random(2, 3, 4, 4).detach(), random(2, 3, 4, 4)
    objective = Denoising()
    assert objective.target_shape((3, 4, 4)) == (3, 4, 4) and objective.classes is None
    for returned in (output, (output, random(2)), SimpleNamespace(sample=output)):
        torch.testing.assert_close(objective.loss(returned, noise), F.mse_loss(output, noise))
    variances = torch.cat([output, random(2, 3, 4, 4)], dim=1)
    torch.testing.assert_close(objective.loss(variances, noise), F.mse_loss(output, noise))


@pytest.mark.parametrize("objective", [Denoising(), DenseCrossEntropy(2)], ids=["noise", "dense"])
def test_nothing_to_train_on(objective: Denoising) -> None:
    with pytest.raises(BenchError, match="returned a dict without a tensor to train on"):
        objective.loss({}, PIXELS)


def test_a_loss_of_the_network_s_own_stands_for_all() -> None:
    own, logits = random(1)[0], random(2, 5)
    output = {"loss": own, "logits": logits, "kept": torch.arange(2)}
    objective, labels = AutomaticObjective(), torch.tensor([0, 1])
    assert objective.loss(output, labels) is own
    assert objective.remark(output, labels) == (
        "loss: the value of output.loss; not in the loss: output.kept (int64)"
    )
    maps = {"loss": random(2, 3), "logits": logits}  # no number: a tensor like any other
    both = F.cross_entropy(maps["loss"], labels) + F.cross_entropy(logits, labels)
    torch.testing.assert_close(objective.loss(maps, labels), both)
