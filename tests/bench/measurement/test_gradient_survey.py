"""Models, layers and data are looked at before anything is measured."""

from pathlib import Path
from typing import Any

import pytest
from own_networks import name

from xconv_bench.data.sources import DataOptions
from xconv_bench.errors import UsageError
from xconv_bench.measurement.gradient_survey import GradientSurvey


def survey(**changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "models": ("paper/cifar",), "devices": ("cpu",), "image_sizes": (), "batch_sizes": (8,),
        "layers": (), "data": DataOptions(), "weights": "random",
    }  # fmt: skip
    readings: dict[str, Any] = {}
    for found in GradientSurvey(**{**settings, **changes})():
        readings |= found
    return readings


def test_sizes_and_data_of_each_model() -> None:
    assert survey(models=("paper/cifar", "r3d_18@4"), image_sizes=(32,)) == {
        "designed_sizes": {"paper/cifar": 32, "r3d_18@4": 112},
        "data": {"paper/cifar": "photos", "r3d_18@4": "synthetic"},
        "samples": {"paper/cifar": 4096, "r3d_18@4": 4096},
    }


def test_a_folder_of_the_users_is_called_by_its_path(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "cats").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "cats/0.png")
    options = DataOptions("imagefolder", directory=tmp_path)
    assert survey(data=options, batch_sizes=(1,))["data"] == {
        "paper/cifar": f"imagefolder:{tmp_path.resolve()}"
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": ("9",)}, r"^--layer '9' is unknown: choose from 0, 2, 5, 7$"),
        ({"models": ("resnet18",), "layers": ("layer1.0.conv",), "image_sizes": (32,)},
         r"unknown; did you mean layer1\.0\.conv"),
        ({"data": DataOptions("digits"), "batch_sizes": (8, 1798)},
         "--batch-size 1798 is larger than the data, 1797 samples of digits"),
        ({"models": (name("perceptron"),), "image_sizes": (6,)}, "has no convolution"),
        ({"models": (name("ambiguous"),), "image_sizes": (6,)}, "a layer called 'all'"),
        ({"models": (name("frozen"),), "image_sizes": (6,), "layers": ("0",)},
         r"^--layer '0' is unknown: choose from 1$"),
        ({"weights": "nosuch.pt"}, "nosuch.pt"),
        ({"data": DataOptions("photo")}, "did you mean photos"),
        ({"models": ("resnet5",)}, "resnet5"),
    ],
)  # fmt: skip
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        survey(**changes)
