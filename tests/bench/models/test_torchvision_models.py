"""torchvision's networks: all have an entry, a sample of them trains."""

import warnings

import pytest
import torch

from xconv_bench.data import batch
from xconv_bench.errors import UsageError
from xconv_bench.models import torchvision_models
from xconv_bench.models.registry import find
from xconv_bench.models.torchvision_shim import import_torchvision
from xconv_bench.objectives.objective import CrossEntropy, PixelCrossEntropy

TRAINED = [
    ("convnext_tiny", 32),
    ("densenet121", 29),
    ("googlenet", 32),
    ("lraspp_mobilenet_v3_large", 40),
    ("fcn_resnet50", 24),
    ("mobilenet_v3_small", 32),
    ("r3d_18@2", 16),
    ("regnet_y_400mf", 32),
    ("resnet18", 32),
    ("shufflenet_v2_x0_5", 32),
    ("squeezenet1_0", 21),
    ("swin_t", 32),
]


@pytest.mark.parametrize(("name", "image_size"), TRAINED, ids=[name for name, _ in TRAINED])
def test_a_training_step_at_a_small_size(name: str, image_size: int) -> None:
    torch.manual_seed(0)
    architecture = find(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = architecture.build(image_size)
    sample = batch(architecture, 2, image_size, torch.float32, "cpu", seed=0)
    loss = architecture.objective.loss(model(sample.input), sample.target)
    loss.backward()
    assert loss.dim() == 0 and loss.isfinite()
    assert any(parameter.grad is not None for parameter in model.parameters())


def test_every_name_is_found_and_takes_its_own_size() -> None:
    for name in torchvision_models.names():
        architecture = find(name)
        assert architecture.name == name
        assert architecture.image_size in architecture.sizes
        assert architecture.sample_shape(architecture.image_size)[0] == 3


def test_whatever_is_not_listed_is_refused_with_a_reason() -> None:
    every_name = import_torchvision().models.list_models()
    others = sorted(set(every_name) - set(torchvision_models.names()))
    assert {"fasterrcnn_resnet50_fpn", "quantized_resnet18", "raft_small"} <= set(others)
    for name in others:
        with pytest.raises(UsageError, match=f"^{name} is in torchvision but cannot be measured: "):
            find(name)


@pytest.mark.parametrize(
    ("name", "image_size"),
    [
        ("resnet50", 224),
        ("inception_v3", 299),
        ("efficientnet_b7", 600),
        ("vit_h_14", 224),
        ("fcn_resnet50", 520),
        ("r3d_18", 112),
        ("mvit_v1_b", 224),
    ],
)
def test_the_designed_size_is_that_of_the_published_weights(name: str, image_size: int) -> None:
    assert find(name).image_size == image_size


def test_the_number_of_classes_follows_the_data_set() -> None:
    assert find("squeezenet1_0").objective == CrossEntropy(1000)
    assert find("inception_v3").objective == CrossEntropy(1000, auxiliary_weight=0.4)
    assert find("googlenet").objective == CrossEntropy(1000, auxiliary_weight=0.3)
    assert find("fcn_resnet50").objective == PixelCrossEntropy(21)
    assert find("s3d").objective == CrossEntropy(400)


def test_weights_are_random_and_governed_by_the_seed() -> None:
    def first_weight(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return next(find("squeezenet1_1").build(32).parameters())

    assert torch.equal(first_weight(1), first_weight(1))
    assert not torch.equal(first_weight(1), first_weight(2))


def test_a_vision_transformer_is_built_for_the_size_asked() -> None:
    model = find("vit_b_32").build(96)
    assert model(torch.zeros(1, 3, 96, 96)).shape == (1, 1000)


@pytest.mark.parametrize(
    ("name", "image_size", "said"),
    [
        ("alexnet", 32, "at least 63 pixels, not 32"),
        ("inception_v3", 224, "at least 299 pixels, not 224"),
        ("vit_b_16", 100, "a multiple of 16 pixels, not 100"),
        ("maxvit_t", 256, "a multiple of 224 pixels, not 256"),
        ("mvit_v2_s", 112, "exactly 224 pixels, not 112"),
        ("resnet18", 0, "at least 1 pixels, not 0"),
    ],
)
def test_a_size_that_cannot_be_trained_is_refused(name: str, image_size: int, said: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} takes images whose side is {said}"):
        find(name).build(image_size)


def test_video_takes_frames() -> None:
    assert find("r3d_18").sample_shape(112) == (3, 16, 112, 112)
    assert find("r3d_18@8").sample_shape(112) == (3, 8, 112, 112)
    assert find("r3d_18@8").name == "r3d_18@8"
    assert find("mvit_v1_b@16").sample_shape(224) == (3, 16, 224, 224)
    with pytest.raises(UsageError, match="mvit_v1_b takes 16 frames, not 8"):
        find("mvit_v1_b@8")


def test_images_take_no_frames() -> None:
    with pytest.raises(UsageError, match="resnet50 takes single images, not 8 frames"):
        find("resnet50@8")


@pytest.mark.parametrize("frames", ["0", "-1", "x", "", "1.5"])
def test_frames_are_a_positive_whole_number(frames: str) -> None:
    with pytest.raises(UsageError, match="give a whole number from 1 up, as in r3d_18@8"):
        find(f"r3d_18@{frames}")
