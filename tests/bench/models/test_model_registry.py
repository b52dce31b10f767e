"""Names and the listing."""

import pytest

from xconv_bench.errors import UsageError
from xconv_bench.models import find, listing


def test_the_listing_has_every_name_once_and_finds_it() -> None:
    names = [architecture.name for architecture in listing()]
    assert len(names) == len(set(names))
    assert {"paper/mnist", "paper/cifar", "paper/unet", "resnet50", "r3d_18"} <= set(names)
    assert all(find(name).name == name for name in names)


def test_the_listing_tells_what_to_know() -> None:
    remarks = {architecture.name: architecture.remark for architecture in listing()}
    assert remarks["resnet50"] == ""
    assert remarks["vgg16"] == "at least 32 pixels a side"
    assert remarks["mvit_v1_b"] == "exactly 224 pixels a side; 16 frames"
    assert remarks["r3d_18"] == "16 frames, or r3d_18@FRAMES"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("resnett50", "did you mean resnet50 or"),
        ("ResNet50", "did you mean resnet50 or"),
        ("paper/cifr", "did you mean paper/cifar"),
        ("r3d_81@8", "did you mean r3d_18"),
    ],
)
def test_a_wrong_name_gets_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(name)
    message = str(caught.value)
    assert message.startswith(f"there is no model named '{name}'; {near}")
    assert "'xconv-bench models' lists them" in message and "\n" not in message


@pytest.mark.parametrize("name", ["paper/cifar@8", "timm:resnet18@8", "net.py:Net@8"])
def test_only_video_networks_take_frames(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name[:-2]} takes no frames: --frames, or {name}"):
        find(name)


@pytest.mark.parametrize("name", ["", "zzzzzzzz", "@", "@8"])
def test_a_name_like_no_other(name: str) -> None:
    with pytest.raises(UsageError, match=r"; 'xconv-bench models' lists them; .*file\.py:callable"):
        find(name)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"no file folder/file\.py: give path/to/file"):
        find("folder/file.py")
