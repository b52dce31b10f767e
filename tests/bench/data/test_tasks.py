"""Losses: the right value, from whatever a network returns, in every dtype."""

from collections import namedtuple
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses import FakeTensorMode

from xconv_bench.data.automatic import Automatic
from xconv_bench.data.tasks import Classification, Reconstruction, Segmentation, Task
from xconv_bench.errors import BenchError

Outputs = namedtuple("Outputs", ["logits", "auxiliary"])


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


LABELS = torch.tensor([0, 3, 9, 3])


def test_classification_is_plain_cross_entropy() -> None:
    logits = random(4, 10)
    assert torch.equal(Classification(10).loss(logits, LABELS), F.cross_entropy(logits, LABELS))


def test_auxiliary_heads_count_with_their_weight() -> None:
    output = Outputs(random(4, 10), random(4, 10) + 1)
    expected = F.cross_entropy(output.logits, LABELS) + 0.4 * F.cross_entropy(
        output.auxiliary, LABELS
    )
    torch.testing.assert_close(Classification(10, 0.4).loss(output, LABELS), expected)


def test_segmentation_looks_at_every_pixel() -> None:
    logits, labels = random(2, 5, 3, 4), torch.arange(24).reshape(2, 3, 4) % 5
    expected = F.cross_entropy(logits, labels)
    task = Segmentation(5)
    torch.testing.assert_close(task.loss({"out": logits}, labels), expected)
    torch.testing.assert_close(task.loss({"out": logits, "aux": logits}, labels), 1.5 * expected)


def test_reconstruction_is_the_mean_squared_error() -> None:
    image, restored = random(2, 3, 4, 4), random(2, 3, 4, 5)[..., :4]
    expected = (image - restored).square().mean()
    torch.testing.assert_close(Reconstruction().loss(restored, image), expected)


@pytest.mark.parametrize("classes", [2, 7, 1000])
def test_automatic_fits_the_labels_to_any_number_of_classes(classes: int) -> None:
    logits, labels = random(4, classes), torch.tensor([0, 1, 65535, 40000])
    expected = F.cross_entropy(logits, labels % classes)
    torch.testing.assert_close(Automatic().loss(logits, labels), expected)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3, 2), (4, 3, 5, 5)], ids=str)
def test_automatic_takes_other_shapes_to_zero(shape: tuple[int, ...]) -> None:
    output = random(*shape)
    torch.testing.assert_close(Automatic().loss(output, LABELS), output.square().mean())


@pytest.mark.parametrize("output", [None, "text", (), {"out": None}], ids=repr)
def test_automatic_without_a_tensor(output: Any) -> None:
    with pytest.raises(BenchError, match="without a tensor to train on"):
        Automatic().loss(output, LABELS)


CASES: list[tuple[Task, Any, tuple[int, ...]]] = [
    (Classification(10, 0.3), lambda x: (x, x), (4, 10)),
    (Segmentation(10), lambda x: {"out": x, "aux": x}, (4, 10, 2, 2)),
    (Reconstruction(), lambda x: x, (4, 3, 2, 2)),
    (Automatic(), lambda x: x, (4, 10)),
    (Automatic(), lambda x: x, (4, 10, 2)),
]


def step(task: Task, wrap: Any, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The gradient of a task's loss by an output of this shape."""
    output = torch.ones(shape, dtype=dtype, requires_grad=True)
    target_shape = task.target_shape(shape[1:])
    target_dtype = dtype if task.classes is None else torch.int64
    task.loss(wrap(output), torch.zeros((shape[0], *target_shape), dtype=target_dtype)).backward()
    assert output.grad is not None
    return output.grad


DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("task", "wrap", "shape"), CASES)
def test_every_dtype(task: Task, wrap: Any, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    gradient = step(task, wrap, shape, dtype)
    assert gradient.dtype == dtype and gradient.isfinite().all() and gradient.any()


@pytest.mark.parametrize(("task", "wrap", "shape"), CASES)
def test_simulated_and_without_touching_the_seed(
    task: Task, wrap: Any, shape: tuple[int, ...]
) -> None:
    before = torch.random.get_rng_state()
    with FakeTensorMode():
        assert step(task, wrap, shape, torch.float32).shape == shape
    step(task, wrap, shape, torch.float32)
    assert torch.equal(torch.random.get_rng_state(), before)
