"""Losses: the right value, from whatever a network returns, in every dtype."""

from collections import namedtuple
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses import FakeTensorMode

from xconv_bench.errors import BenchError
from xconv_bench.objectives.automatic import AutomaticObjective
from xconv_bench.objectives.objective import (
    CrossEntropy,
    Objective,
    PixelCrossEntropy,
    SquaredError,
)

Outputs = namedtuple("Outputs", ["logits", "auxiliary"])


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


LABELS = torch.tensor([0, 3, 9, 3])


def test_classification_is_plain_cross_entropy() -> None:
    logits = random(4, 10)
    assert torch.equal(CrossEntropy(10).loss(logits, LABELS), F.cross_entropy(logits, LABELS))


def test_auxiliary_heads_count_with_their_weight() -> None:
    output = Outputs(random(4, 10), random(4, 10) + 1)
    expected = F.cross_entropy(output.logits, LABELS) + 0.4 * F.cross_entropy(
        output.auxiliary, LABELS
    )
    torch.testing.assert_close(CrossEntropy(10, 0.4).loss(output, LABELS), expected)


def test_segmentation_looks_at_every_pixel() -> None:
    logits, labels = random(2, 5, 3, 4), torch.arange(24).reshape(2, 3, 4) % 5
    expected = F.cross_entropy(logits, labels)
    objective = PixelCrossEntropy(5)
    torch.testing.assert_close(objective.loss({"out": logits}, labels), expected)
    torch.testing.assert_close(
        objective.loss({"out": logits, "aux": logits}, labels), 1.5 * expected
    )


def test_reconstruction_is_the_mean_squared_error() -> None:
    image, restored = random(2, 3, 4, 4), random(2, 3, 4, 5)[..., :4]
    expected = (image - restored).square().mean()
    torch.testing.assert_close(SquaredError().loss(restored, image), expected)


@pytest.mark.parametrize("classes", [2, 7, 1000])
def test_automatic_fits_the_labels_to_any_number_of_classes(classes: int) -> None:
    logits, labels = random(4, classes), torch.tensor([0, 1, 65535, 40000])
    expected = F.cross_entropy(logits, labels % classes)
    torch.testing.assert_close(AutomaticObjective().loss(logits, labels), expected)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3, 2), (4, 3, 5, 5)], ids=str)
def test_automatic_takes_other_shapes_to_zero(shape: tuple[int, ...]) -> None:
    output = random(*shape)
    torch.testing.assert_close(AutomaticObjective().loss(output, LABELS), output.square().mean())


@pytest.mark.parametrize("output", [None, "text", (), {"out": None}], ids=repr)
def test_automatic_without_a_tensor(output: Any) -> None:
    with pytest.raises(BenchError, match="without a tensor to train on"):
        AutomaticObjective().loss(output, LABELS)


CASES: list[tuple[Objective, Any, tuple[int, ...]]] = [
    (CrossEntropy(10, 0.3), lambda x: (x, x), (4, 10)),
    (PixelCrossEntropy(10), lambda x: {"out": x, "aux": x}, (4, 10, 2, 2)),
    (SquaredError(), lambda x: x, (4, 3, 2, 2)),
    (AutomaticObjective(), lambda x: x, (4, 10)),
    (AutomaticObjective(), lambda x: x, (4, 10, 2)),
]


def step(objective: Objective, wrap: Any, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The gradient of an objective's loss by an output of this shape."""
    output = torch.ones(shape, dtype=dtype, requires_grad=True)
    target_shape = objective.target_shape(shape[1:])
    target_dtype = dtype if objective.classes is None else torch.int64
    objective.loss(
        wrap(output), torch.zeros((shape[0], *target_shape), dtype=target_dtype)
    ).backward()
    assert output.grad is not None
    return output.grad


DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("objective", "wrap", "shape"), CASES)
def test_every_dtype(
    objective: Objective, wrap: Any, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    gradient = step(objective, wrap, shape, dtype)
    assert gradient.dtype == dtype and gradient.isfinite().all() and gradient.any()


@pytest.mark.parametrize(("objective", "wrap", "shape"), CASES)
def test_simulated_and_without_touching_the_seed(
    objective: Objective, wrap: Any, shape: tuple[int, ...]
) -> None:
    before = torch.random.get_rng_state()
    with FakeTensorMode():
        assert step(objective, wrap, shape, torch.float32).shape == shape
    step(objective, wrap, shape, torch.float32)
    assert torch.equal(torch.random.get_rng_state(), before)
