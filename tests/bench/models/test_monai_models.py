"""MONAI's networks, where MONAI is installed, and what is said where it is not."""

import sys

import pytest
import torch
from offline import refuse_network
from source_cases import check_simulated, inputs_of, loss_of

from xconv_bench.errors import UsageError
from xconv_bench.models import monai_models
from xconv_bench.models.registry import find
from xconv_bench.objectives.automatic import AutomaticObjective
from xconv_bench.objectives.denoising import Denoising
from xconv_bench.objectives.dense import DenseCrossEntropy

UNET = "monai:UNet(channels=[4, 8], strides=[2], num_res_units=1)"
DIFFUSION = (
    "monai:DiffusionModelUNet(spatial_dims=2, channels=(8,), attention_levels=(False,), "
    "num_res_blocks=1, norm_num_groups=4, num_head_channels=8)"
)


@pytest.fixture
def with_monai(monkeypatch: pytest.MonkeyPatch) -> None:
    find("resnet18")  # opens the door to torchvision, which MONAI imports
    pytest.importorskip("monai")
    refuse_network(monkeypatch)


@pytest.mark.usefixtures("with_monai")
def test_volumes_simulated_as_they_are_run() -> None:
    assert find(UNET).sample_shape(16) == (1, 16, 16, 16)
    check_simulated(UNET, 16)


@pytest.mark.usefixtures("with_monai")
@pytest.mark.parametrize(
    ("name", "shape", "objective"),
    [
        (UNET, (1, 8, 8, 8), DenseCrossEntropy(2)),
        (
            "monai:BasicUNet(spatial_dims=2, in_channels=3, out_channels=5, features=[4] * 6)",
            (3, 8, 8), DenseCrossEntropy(5),
        ),
        ("monai:EfficientNetBN(model_name='efficientnet-b0')", (3, 8, 8), AutomaticObjective()),
        (
            "monai:Classifier(in_shape=(1, 16, 16), classes=3, channels=(4,), strides=(2,))",
            (1, 16, 16), AutomaticObjective(),
        ),
        (DIFFUSION, (1, 8, 8), Denoising()),
    ],
    ids=["volumes", "images", "labels", "fixed", "diffusion"],
)  # fmt: skip
def test_inputs_and_loss_follow_from_the_network(
    name: str, shape: tuple[int, ...], objective: object
) -> None:
    name = name.replace("[4] * 6", "[4, 4, 4, 4, 4, 4]")
    found = find(name)
    size = 16 if "in_shape" in name else 8
    assert (found.sample_shape(size), found.objective) == (shape, objective)


@pytest.mark.usefixtures("with_monai")
def test_a_step_of_a_diffusion() -> None:
    images, steps = inputs_of(DIFFUSION, 8)  # type: ignore[misc]
    assert images.shape == (2, 1, 8, 8) and steps.dtype == torch.int64
    assert loss_of(DIFFUSION, 8) > 0.5  # its last layer begins at zero, and noise has variance 1


@pytest.mark.usefixtures("with_monai")
def test_a_network_that_depends_on_the_size_is_told_of_it() -> None:
    name = "monai:UNETR(feature_size=2, hidden_size=8, mlp_dim=8, num_heads=2)"
    assert loss_of(name, 16) > 0


@pytest.mark.usefixtures("with_monai")
def test_a_network_of_other_inputs_asks_for_them() -> None:
    with pytest.raises(UsageError, match=r"takes moving, fixed: give --inputs"):
        inputs_of("monai:VoxelMorph", 16)


@pytest.mark.usefixtures("with_monai")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("UNett", "MONAI has no network 'UNett'; did you mean UNet"),
        ("Nonsense", "MONAI has no network 'Nonsense'"),
        ("get_pretrained_resnet_medicalnet", "has no network"),
        ("UNet", "monai:UNet needs channels and strides"),
        ("UNet(chanels=[4])", "monai:UNet has no argument 'chanels'; did you mean channels"),
        ("UNet(channels=[4], strides=[2])", "cannot be built: ValueError"),
        ("resnet18(pretrained=True)", "nothing is downloaded: leave out pretrained"),
    ],
)
def test_a_wrong_name_is_one_line(name: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        find(f"monai:{name}")
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_without_monai_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monai_models._looked_at.cache_clear()
    monkeypatch.setitem(sys.modules, "monai", None)
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(UsageError, match=r"pip install 'xconv-bench\[monai\]'"):
        find("monai:UNet")
