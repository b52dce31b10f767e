"""Every source gives each network what it takes, the same samples for the same seed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from xconv_bench.data.batches import Batch
from xconv_bench.data.photos import PHOTOS
from xconv_bench.data.samples import Samples
from xconv_bench.data.sources import SOURCES, DataOptions, default_source, open_samples
from xconv_bench.errors import UsageError
from xconv_bench.models import find

INSIDE = ["photos", "digits", "synthetic"]
"""Sources that need nothing."""


def samples(
    name: str | None,
    model: str = "paper/cifar",
    size: int = 32,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    **options: object,
) -> Samples:
    given = DataOptions(name, **options)  # type: ignore[arg-type]
    return open_samples(given, find(model), size, dtype, "cpu", seed)


def same(batch: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(batch, other, strict=True))


@pytest.mark.parametrize("name", INSIDE)
@pytest.mark.parametrize(("model", "size"), [("paper/cifar", 32), ("paper/mnist", 28)])
def test_what_a_network_takes(name: str, model: str, size: int) -> None:
    batch = samples(name, model, size, torch.float64).batch(range(40))
    channels = find(model).sample_shape(size)[0]
    assert batch.input.shape == (40, channels, size, size)
    assert batch.input.dtype == torch.float64 and batch.target.dtype == torch.int64
    assert set(batch.target.tolist()) <= set(range(10))
    assert len(set(batch.target.tolist())) > 5
    assert abs(batch.input.mean()) < 0.5 and 0.5 < batch.input.std() < 2


@pytest.mark.parametrize("name", INSIDE)
def test_a_sample_does_not_depend_on_its_batch(name: str) -> None:
    state = torch.get_rng_state()
    whole = samples(name).batch(range(30))
    part = samples(name, seed=0).batch([29, 3, 3])
    assert same(Batch(*(tensor[[29, 3, 3]] for tensor in whole)), part)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ["photos", "synthetic"])
def test_another_seed_is_another_draw(name: str) -> None:
    first, second = (samples(name, seed=seed).batch(range(4)).input for seed in (0, 1))
    assert not torch.equal(first, second)


def test_what_reconstructs_is_given_its_own_input() -> None:
    batch = samples("photos", "paper/unet", 64).batch([0, 1])
    assert torch.equal(batch.input, batch.target)


@pytest.mark.parametrize("size", [8, 224, 500])
def test_photographs_are_cut_at_every_size(size: int) -> None:
    """500 pixels are more than some of them have: those are enlarged."""
    count = sum(map(len, PHOTOS.values()))
    batch = samples("photos", "resnet18", max(size, 32)).batch(range(count))
    assert batch.target.tolist() == list(range(count))
    flat = batch.input.flatten(1)
    assert bool((flat.std(1) > 0).all())
    assert len(flat.unique(dim=0)) == count


def test_crops_come_from_all_of_a_photograph() -> None:
    """Sample i and sample i plus the number of photographs show the same one, not the same crop."""
    count = sum(map(len, PHOTOS.values()))
    crops = samples("photos").batch([count * i for i in range(50)]).input
    assert len(crops.flatten(1).unique(dim=0)) == 50


def test_grey_photographs_have_equal_channels_before_they_are_normalised() -> None:
    index = list(np.concatenate([PHOTOS["sklearn"], PHOTOS["skimage"]])).index("data/camera.png")
    image = samples("photos").batch([index]).input[0]
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    red, green, blue = image * deviation + mean
    torch.testing.assert_close(red, green)
    torch.testing.assert_close(red, blue)


def test_how_many_there_are() -> None:
    assert len(samples("digits")) == 1797
    assert len(samples("photos")) == len(samples("synthetic")) == 4096
    assert len(samples("photos", samples=7)) == len(samples("digits", samples=7)) == 7
    with pytest.raises(UsageError, match=r"--samples 1798: digits has no more than 1797"):
        samples("digits", samples=1798)


@pytest.mark.parametrize(
    ("model", "size", "expected"),
    [
        ("paper/cifar", 32, "photos"),
        ("paper/mnist", 28, "photos"),
        ("paper/unet", 64, "photos"),
        ("fcn_resnet50", 64, "synthetic"),
        ("r3d_18@4", 32, "synthetic"),
    ],
)
def test_the_default_is_photographs_where_they_will_do(
    model: str, size: int, expected: str
) -> None:
    assert default_source(find(model), size) == expected
    assert len(samples(None, model, size, samples=2).batch([0]).input) == 1
    if expected == "synthetic":
        with pytest.raises(UsageError, match=r"^--data photos has images .* use --data synthetic$"):
            samples("photos", model, size)


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match=r"--data 'photo' is unknown: .*did you mean photos\?"):
        samples("photo")


@pytest.mark.parametrize("name", sorted(SOURCES.keys() - set(INSIDE)))
def test_a_folder_is_needed(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"--data {name} needs --data-dir"):
        samples(name)
    with pytest.raises(UsageError, match="is no folder: give one that exists"):
        samples(name, directory=tmp_path / "missing")
    with pytest.raises(UsageError, match=f"--data-dir {tmp_path}: ") as error:
        samples(name, directory=tmp_path)
    assert "\n" not in str(error.value)
    if name != "imagefolder":
        assert str(error.value).endswith("--download fetches it")


def picture(colour: int, width: int = 40, height: int = 20) -> Image.Image:
    return Image.fromarray(np.full((height, width, 3), colour, np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label, name in enumerate(("cats", "dogs")):
        (tmp_path / name).mkdir()
        for number in range(3):
            picture(100 * label + number).save(tmp_path / name / f"{number}.png")
    return tmp_path


def restored(input: Tensor) -> Tensor:
    """The red channel of 0…255 again."""
    return (input[:, 0] * 0.229 + 0.485) * 255


def test_a_folder_of_images(folder: Path) -> None:
    found = samples("imagefolder", size=32, directory=folder)
    assert len(found) == 6
    batch = found.batch([0, 4])
    assert batch.target.tolist() == [0, 1]
    expected = torch.tensor([0.0, 101.0]).view(2, 1, 1).expand(2, 32, 32)
    torch.testing.assert_close(restored(batch.input), expected, atol=1e-3, rtol=0)


def test_a_damaged_image_is_named(folder: Path) -> None:
    (folder / "dogs/1.png").write_bytes(b"no picture")
    found = samples("imagefolder", directory=folder)
    assert found.batch([0]).target.tolist() == [0]
    with pytest.raises(UsageError, match=r"cannot identify image file .*dogs/1\.png") as error:
        found.batch([4])
    assert "\n" not in str(error.value)


def test_cifar10_in_its_own_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written as it is published, with checksums that fit."""
    import hashlib
    import pickle

    from xconv_bench.models.torchvision_shim import import_torchvision

    import_torchvision()
    from torchvision.datasets import CIFAR10

    base = tmp_path / CIFAR10.base_folder
    base.mkdir()

    def write(name: str, content: dict[str, object]) -> list[str]:
        (base / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((base / name).read_bytes()).hexdigest()]

    pixels = np.arange(2 * 3 * 32 * 32, dtype=np.uint8).reshape(2, -1)
    train = [write("data_batch_1", {"data": pixels, "labels": [3, 9]})]
    meta = write("batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(CIFAR10, "train_list", train)
    monkeypatch.setattr(CIFAR10, "test_list", [])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    batch = samples("cifar10", directory=tmp_path).batch([1, 0])
    assert batch.target.tolist() == [9, 3]
    red = (batch.input[1, 0] * 0.2470 + 0.4914) * 255
    expected = torch.from_numpy(pixels[0, :1024].reshape(32, 32)).float()
    torch.testing.assert_close(red, expected, atol=1e-3, rtol=0)
    (base / "data_batch_1").write_bytes(b"damaged")
    with pytest.raises(UsageError, match="not there or not whole: --download fetches it"):
        samples("cifar10", directory=tmp_path)
