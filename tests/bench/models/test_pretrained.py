"""torchvision's published weights, from a torch.hub folder that the tests fill: no network."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.models import find
from xconv_bench.models.pretrained import published_weights
from xconv_bench.models.torchvision_shim import import_torchvision
from xconv_bench.models.weight_files import put_weights

SQUEEZENET_FILE = "squeezenet1_1-b8a52dc0.pth"


@pytest.fixture(autouse=True)
def checkpoints(tmp_path: Path) -> Iterator[Path]:
    """Where torch.hub looks for files; it does not exist yet."""
    before = torch.hub._hub_dir  # None: decided by the environment
    torch.hub.set_dir(str(tmp_path / "hub"))
    yield tmp_path / "hub" / "checkpoints"
    torch.hub._hub_dir = before


def published(name: str) -> Any:
    return import_torchvision().models.get_model_weights(name).DEFAULT


def put_into_hub(checkpoints: Path, name: str, weights: dict[str, torch.Tensor]) -> Path:
    checkpoints.mkdir(parents=True)
    path = checkpoints / published(name).url.rpartition("/")[2]
    torch.save(weights, path)
    return path


def test_weights_that_lie_there_need_no_download(checkpoints: Path) -> None:
    weights = find("squeezenet1_1").build(32).state_dict()
    assert put_into_hub(checkpoints, "squeezenet1_1", weights).name == SQUEEZENET_FILE
    found = published_weights("squeezenet1_1", download=False)
    assert found.keys() == weights.keys()
    assert all(found[name].equal(weights[name]) for name in weights)


@pytest.mark.parametrize(
    ("model", "here", "in_the_file"),
    [
        ("densenet121", r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2"),
        ("mnasnet0_5", "$^", ""),
        ("r3d_18@4", "$^", ""),
    ],
)
def test_networks_with_a_history(
    checkpoints: Path, model: str, here: str, in_the_file: str
) -> None:
    """Old names, versions that a network asks for, frames that the file knows nothing of."""
    architecture = find(model)
    weights = architecture.build(architecture.image_size).state_dict()
    for name in list(weights):
        weights[re.sub(here, in_the_file, name)] = weights.pop(name)
    put_into_hub(checkpoints, model.partition("@")[0], weights)
    other = architecture.build(architecture.image_size)
    put_weights(other, published_weights(model, download=False), model, "")
    for mine, published in zip(other.state_dict().values(), weights.values(), strict=True):
        assert mine.equal(published)


def test_a_head_that_is_not_built_here_is_left_out(checkpoints: Path) -> None:
    model = find("lraspp_mobilenet_v3_large").build(32)
    weights = model.state_dict()
    weights["aux_classifier.0.weight"] = torch.zeros(3)
    put_into_hub(checkpoints, "lraspp_mobilenet_v3_large", weights)
    put_weights(model, published_weights("lraspp_mobilenet_v3_large", download=False), "", "")


def test_nothing_is_downloaded_unasked(checkpoints: Path) -> None:
    with pytest.raises(UsageError) as caught:
        published_weights("squeezenet1_1", download=False)
    message = str(caught.value)
    assert "--download fetches them (5 MB)" in message
    assert message.endswith(f"at {checkpoints / SQUEEZENET_FILE}")
    assert not checkpoints.exists()


def test_a_damaged_file(checkpoints: Path) -> None:
    put_into_hub(checkpoints, "squeezenet1_1", {}).write_text("half of a file")
    with pytest.raises(UsageError, match="delete it, and --download fetches it from https://"):
        published_weights("squeezenet1_1", download=False)


@pytest.mark.parametrize(
    "model", ["paper/cifar", "timm:resnet18", "own.py:resnet18", "module:resnet18"]
)
def test_models_that_torchvision_knows_nothing_of(model: str) -> None:
    with pytest.raises(UsageError, match=f"torchvision publishes no weights of {model}: take --we"):
        published_weights(model, download=True)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is the published one, as if it came from the network."""
    torch.save(find("squeezenet1_1").build(32).state_dict(), tmp_path / "new")
    digest = hashlib.sha256((tmp_path / "new").read_bytes()).hexdigest()
    path = (tmp_path / "new").rename(tmp_path / f"squeezenet-{digest[:8]}.pth")
    monkeypatch.setattr(published("squeezenet1_1").value, "url", path.as_uri())
    return path


def test_download(served: Path, checkpoints: Path, capfd: pytest.CaptureFixture[str]) -> None:
    published_weights("squeezenet1_1", download=True)
    assert (checkpoints / served.name).read_bytes() == served.read_bytes()
    served.unlink()
    published_weights("squeezenet1_1", download=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (Path.unlink, "No such file or directory"),
        (lambda served: served.write_text("another file"), "invalid hash value"),
    ],
    ids=["unreachable", "not what was published"],
)
def test_a_download_that_fails(served: Path, checkpoints: Path, happens: Any, words: str) -> None:
    happens(served)
    with pytest.raises(BenchError) as caught:
        published_weights("squeezenet1_1", download=True)
    message = str(caught.value)
    assert caught.value.exit_code == 1
    assert message.startswith(f"{served.as_uri()} cannot be downloaded: ")
    assert words in message
    assert "\n" not in message
    assert list(checkpoints.iterdir()) == []
