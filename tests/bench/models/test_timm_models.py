"""timm's networks, where timm is installed, and what is said where it is not."""

import sys

import pytest
import torch

from xconv_bench.data import batch
from xconv_bench.errors import UsageError
from xconv_bench.models.registry import find


@pytest.fixture
def with_timm() -> None:
    find("resnet18")  # opens the door to torchvision, which timm imports
    pytest.importorskip("timm")


@pytest.mark.usefixtures("with_timm")
@pytest.mark.parametrize(
    ("name", "image_size"),
    [("resnet18", 32), ("vit_tiny_patch16_224", 48), ("resnet18.a1_in1k", 32)],
)
def test_a_training_step_at_a_small_size(name: str, image_size: int) -> None:
    torch.manual_seed(0)
    architecture = find(f"timm:{name}")
    sample = batch(architecture, 2, image_size, torch.float32, "cpu", seed=0)
    loss = architecture.objective.loss(architecture.build(image_size)(sample.input), sample.target)
    loss.backward()
    assert architecture.name == f"timm:{name}" and loss.isfinite()


@pytest.mark.usefixtures("with_timm")
def test_the_designed_size_is_timms() -> None:
    assert find("timm:inception_v3").image_size == 299


@pytest.mark.usefixtures("with_timm")
def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(
        UsageError, match="timm has no model named 'resnett18'; did you mean resnet"
    ):
        find("timm:resnett18")
    with pytest.raises(UsageError, match="timm has no model named ''"):
        find("timm:")


@pytest.mark.usefixtures("with_timm")
def test_a_wrong_tag_is_refused() -> None:
    with pytest.raises(UsageError, match=r"timm refuses 'resnet18\.nonsense'.*Leave the tag out"):
        find("timm:resnet18.nonsense")


def test_without_timm_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r"pip install 'xconv-bench\[timm\]'"):
        find("timm:resnet18")
