"""The loss of a network of which nothing is known: what is in it, and what is said of it."""

from collections import OrderedDict, UserDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from xconv_bench.errors import BenchError
from xconv_bench.objectives.automatic import AutomaticObjective
from xconv_bench.objectives.outputs import named_tensors

Outputs = namedtuple("Outputs", ["logits", "boxes"])
LABELS = torch.tensor([0, 3, 65535, 7])


def random(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=dtype).requires_grad_()


LOGITS, BOXES = random(4, 10), random(4, 3, 2, 2)
BOTH = F.cross_entropy(LOGITS, LABELS % 10) + BOXES.square().mean()


@dataclass
class Detected:
    logits: Tensor
    boxes: Tensor
    count: int = 3


class ModelOutput(OrderedDict):
    """Like that of transformers: a dictionary with attributes, of which integers show the first."""

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else list(self.values())[key]


class Slotted:
    __slots__ = ("boxes", "logits", "unset")

    def __init__(self) -> None:
        self.logits, self.boxes = LOGITS, BOXES


class Circle:
    def __init__(self) -> None:
        self.logits, self.boxes, self.me = LOGITS, BOXES, self


@pytest.mark.parametrize(
    "output",
    [
        (LOGITS, BOXES),
        [None, [LOGITS], "text", (BOXES, 7)],
        {"logits": LOGITS, "boxes": BOXES},
        UserDict(logits=LOGITS, boxes=BOXES),
        Outputs(LOGITS, BOXES),
        Detected(LOGITS, BOXES),
        {"nested": Detected(LOGITS, BOXES)},
        ModelOutput(logits=LOGITS, boxes=BOXES),
        SimpleNamespace(logits=LOGITS, boxes=BOXES),
        Slotted(),
        Circle(),
        (LOGITS, BOXES, LOGITS, {"again": BOXES}),
    ],
    ids=lambda output: type(output).__name__,
)
def test_every_tensor_is_in_the_loss_once(output: Any) -> None:
    torch.testing.assert_close(AutomaticObjective().loss(output, LABELS), BOTH)
    assert AutomaticObjective().remark(output, LABELS).count("not in the loss") == 0


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (LOGITS, ""),
        (BOXES, ""),
        ((LOGITS,), "loss: cross-entropy of output[0]"),
        (
            Detected(LOGITS, BOXES),
            "loss: cross-entropy of output.logits + mean square of output.boxes",
        ),
        (
            {"scales": [BOXES, random(4, 3, 4, 4), random(4, 3, 8, 8)]},
            "loss: mean square of output.scales[0], output.scales[1], output.scales[2]",
        ),
        (
            [random(4, 1, n) for n in range(1, 8)],
            "loss: mean square of output[0], output[1], output[2], output[3] and 3 more",
        ),
        (
            {"logits": LOGITS, "kept": torch.arange(4), "mask": BOXES.detach(), "none": BOXES[:0]},
            "loss: cross-entropy of output.logits; not in the loss: output.kept (int64), "
            "output.mask (needs no gradient), output.none (empty)",
        ),
        (
            {"logits": LOGITS, "balance": LOGITS.sum()},
            "loss: cross-entropy of output.logits + the value of output.balance",
        ),
        (random(2, 10), "loss: cross-entropy (2 rows, 4 samples) of output"),
        (random(12, 10), "loss: cross-entropy (12 rows, 4 samples) of output"),
        (random(2, 3, 3), "loss: mean square of output"),
        (random(4)[0], "loss: the value of output"),
    ],
)
def test_what_is_said_of_the_loss(output: Any, said: str) -> None:
    assert AutomaticObjective().remark(output, LABELS) == said


@pytest.mark.parametrize(
    ("rows", "labels"), [(2, [0, 3]), (6, [0, 3, 5, 7, 0, 3]), (1, [0]), (4, [0, 3, 5, 7])]
)
def test_rows_that_are_not_the_batch_have_the_labels_of_the_first(
    rows: int, labels: list[int]
) -> None:
    """Clips of which several frames come to one row, proposals of which a sample has many."""
    logits = random(rows, 10)
    expected = F.cross_entropy(logits, torch.tensor(labels))
    torch.testing.assert_close(AutomaticObjective().loss(logits, LABELS), expected)


def test_losses_of_the_networks_own_are_taken_as_they_are() -> None:
    output = {"logits": LOGITS, "balance": LOGITS.sum()}
    expected = F.cross_entropy(LOGITS, LABELS % 10) + LOGITS.sum()
    torch.testing.assert_close(AutomaticObjective().loss(output, LABELS), expected)


def test_complex_outputs() -> None:
    spectrum = random(4, 6, dtype=torch.complex64)
    loss = AutomaticObjective().loss(spectrum, LABELS)
    torch.testing.assert_close(2 * loss, spectrum.abs().square().mean())
    (gradient,) = torch.autograd.grad(loss, spectrum)
    assert gradient.is_complex() and gradient.abs().min() > 0


def test_without_gradients_all_real_numbers_count() -> None:
    with torch.no_grad():
        loss = AutomaticObjective().loss((LOGITS.clone(), torch.arange(4), BOXES.clone()), LABELS)
    torch.testing.assert_close(loss, BOTH.detach())


@pytest.mark.parametrize(
    "output", [None, "text", (), {"out": None}, torch.arange(3), BOXES[:0]], ids=repr
)
def test_nothing_to_train_on(output: Any) -> None:
    with pytest.raises(BenchError, match=r"returned a \w+ without a tensor to train on: expected"):
        AutomaticObjective().loss(output, LABELS)


def test_paths_are_those_of_the_output() -> None:
    output = {"a": [LOGITS, {"b": BOXES}], "c": Outputs(None, torch.arange(2))}
    assert list(named_tensors(output)) == ["a.0", "a.1.b", "c.boxes"]
    assert list(named_tensors(LOGITS)) == [""]
