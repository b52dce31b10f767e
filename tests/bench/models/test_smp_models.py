"""The networks of segmentation-models-pytorch, and what is said where it is not installed."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from offline import refuse_network
from source_cases import check_simulated, loss_of

from xconv_bench.errors import UsageError
from xconv_bench.models.registry import find

SMALL = "Unet/tu-test_resnet(encoder_depth=3, decoder_channels=(8, 8, 8)"


@pytest.fixture
def with_smp(monkeypatch: pytest.MonkeyPatch) -> None:
    find("resnet18")  # opens the door to torchvision, which timm imports
    pytest.importorskip("segmentation_models_pytorch")
    refuse_network(monkeypatch)


@pytest.mark.usefixtures("with_smp")
def test_simulated_as_it_is_run() -> None:
    check_simulated(f"smp:{SMALL}, classes=3)", 32)


@pytest.mark.usefixtures("with_smp")
@pytest.mark.parametrize("name", [f"{SMALL})", "linknet/mobilenet_v2(in_channels=1)"])
def test_other_encoders_channels_and_spellings(name: str) -> None:
    channels = 1 if "in_channels" in name else 3
    assert find(f"smp:{name}").sample_shape(64) == (channels, 64, 64)
    assert loss_of(f"smp:{name}", 64) > 0


@pytest.mark.usefixtures("with_smp")
def test_every_pixel_has_a_label() -> None:
    objective = find("smp:Unet/resnet18(classes=3)").objective
    assert (objective.classes, objective.target_shape((3, 8, 6))) == (3, (8, 6))
    logits = torch.zeros(2, 3, 8, 6)
    assert objective.loss(logits, torch.ones(2, 8, 6).long()).item() == pytest.approx(1.0986123)


@pytest.mark.usefixtures("with_smp")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Unett/resnet18", "has no architecture 'Unett'; did you mean Unet"),
        ("nonsense", "it has DPT, DeepLabV3, "),
        ("Unet/resnett34", "has no encoder 'resnett34'; did you mean resnet34"),
        ("Unet/zzz", "it has resnet18, "),
        ("Unet(clases=2)", "smp:Unet has no argument 'clases'; did you mean classes"),
        ("Unet(encoder_weights='imagenet')", "nothing is downloaded: leave out encoder_weights"),
    ],
)
def test_a_wrong_name_is_one_line(name: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        find(f"smp:{name}")
    assert words in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.usefixtures("with_smp")
def test_what_cannot_be_built_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"smp:Unet/tu-nonsense cannot be built: .*nonsense"):
        find("smp:Unet/tu-nonsense").build(64)


@pytest.mark.usefixtures("with_smp")
def test_on_the_command_line(
    command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # measurements are told by way of sockets
    finished = command(
        "memory", "--model", f"smp:{SMALL})", "--simulate", "--method", "exact",
        "--image-size", 32, "--batch-size", 2, "--output", tmp_path, "--no-cross-check",
    )  # fmt: skip
    assert finished.code == 0, finished.errors
    table = pd.read_csv(tmp_path / "memory.csv")
    assert (list(table.model), list(table.status)) == ([f"smp:{SMALL})"], ["ok"])


def test_without_the_package_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(UsageError, match=r"pip install 'xconv-bench\[smp\]'"):
        find("smp:Unet")
