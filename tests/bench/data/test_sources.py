"""Every source gives each network what it takes, the same samples for the same seed."""

import hashlib
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from xconv_bench.data.batches import Batch
from xconv_bench.data.digits import read_digits
from xconv_bench.data.packaged import path_in
from xconv_bench.data.photos import PHOTOS
from xconv_bench.data.samples import Samples
from xconv_bench.data.sources import SOURCES, DataOptions, default_source, open_samples
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.models import find
from xconv_bench.models.torchvision_shim import import_torchvision

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


def test_digits_are_those_of_their_package_which_is_not_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sklearn.datasets import load_digits

    loaded = load_digits()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    images, labels = read_digits.__wrapped__()
    assert np.array_equal(images, (loaded.images * (255 / 16)).round())
    assert images.dtype == np.uint8 and np.array_equal(labels, loaded.target)


def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(BenchError, match=r"b\.png comes with no_such_package: install scikit-lea"):
        path_in("no_such_package", "a/b.png")


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
    """Images 0, 1, 2 of the first class and 100, 101, 102 of the second, each once."""
    found = samples("imagefolder", size=32, directory=folder)
    batch = found.batch(range(len(found)))
    colours = restored(batch.input)
    torch.testing.assert_close(colours, colours[:, :1, :1].expand(6, 32, 32), atol=1e-3, rtol=0)
    labelled = zip(colours[:, 0, 0].round().int().tolist(), batch.target.tolist(), strict=True)
    assert sorted(labelled) == [(0, 0), (1, 0), (2, 0), (100, 1), (101, 1), (102, 1)]


def test_the_first_images_of_a_folder_are_of_any_class(folder: Path) -> None:
    first = samples("imagefolder", directory=folder, samples=3).batch(range(3))
    assert set(first.target.tolist()) == {0, 1}
    again = samples("imagefolder", directory=folder, seed=1).batch(range(3))
    assert same(first, again)


def only(folder: Path, image: Image.Image, name: str) -> Samples:
    """The folder with no more than this image in it."""
    (folder / "class").mkdir()
    image.save(folder / "class" / name)
    return samples("imagefolder", directory=folder)


def test_the_middle_square_is_taken(tmp_path: Path) -> None:
    image = picture(0)
    image.paste((255, 255, 255), (10, 0, 30, 20))
    assert bool((restored(only(tmp_path, image, "0.png").batch([0]).input) > 254).all())


def test_16_bits_are_as_bright_as_8(tmp_path: Path) -> None:
    image = Image.fromarray(np.full((20, 20), 100 * 256 + 17, np.uint16))
    found = restored(only(tmp_path, image, "0.tif").batch([0]).input)
    torch.testing.assert_close(found, torch.full_like(found, 100.0), atol=1e-3, rtol=0)


def test_pixels_without_a_known_range(tmp_path: Path) -> None:
    found = only(tmp_path, Image.fromarray(np.zeros((20, 20), np.float32)), "0.tif")
    with pytest.raises(
        UsageError, match=r"class/0\.tif cannot be read \(its pixels have more than"
    ):
        found.batch([0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no image: repair or remove it"),
        (b"no picture", "is no image: repair or remove it"),
        (None, "cannot be read (image file is truncated): repair or remove it"),
    ],
    ids=["empty", "something else", "cut off"],
)
def test_a_damaged_image_is_named(folder: Path, content: bytes | None, message: str) -> None:
    path = folder / "dogs/1.png"
    path.write_bytes(path.read_bytes()[:60] if content is None else content)
    found = samples("imagefolder", directory=folder)
    with pytest.raises(UsageError) as error:
        found.batch(range(6))
    assert str(error.value) == f"--data-dir: {path} {message}"


def test_a_class_without_images_is_named(folder: Path) -> None:
    (folder / "birds").mkdir()
    with pytest.raises(UsageError, match=r"no valid file for the classes birds") as error:
        samples("imagefolder", directory=folder)
    assert "\n" not in str(error.value)


def mnist_files(folder: Path, images: bytes, labels: bytes) -> None:
    raw = folder / "MNIST/raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(images)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(labels)


MNIST_IMAGES = struct.pack(">4i", 0x803, 2, 28, 28) + bytes(784) + bytes([255]) * 784
MNIST_LABELS = struct.pack(">2i", 0x801, 2) + bytes([3, 9])


def test_mnist_in_its_own_format(tmp_path: Path) -> None:
    mnist_files(tmp_path, MNIST_IMAGES, MNIST_LABELS)
    found = samples("mnist", "paper/mnist", 28, directory=tmp_path)
    batch = found.batch([1, 0])
    assert len(found) == 2 and batch.target.tolist() == [9, 3]
    brightness = batch.input * 0.3081 + 0.1307
    expected = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).expand(2, 1, 28, 28)
    torch.testing.assert_close(brightness, expected)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (b"", MNIST_LABELS),
        (MNIST_IMAGES[:500], MNIST_LABELS),
        (b"no digits at all", MNIST_LABELS),
        (MNIST_IMAGES, struct.pack(">2i", 0x801, 1) + bytes([3])),
    ],
    ids=["empty", "cut off", "something else", "a label short"],
)
def test_a_damaged_mnist(tmp_path: Path, images: bytes, labels: bytes) -> None:
    mnist_files(tmp_path, images, labels)
    with pytest.raises(
        UsageError, match=r"MNIST is damaged .*: remove it, then --download"
    ) as error:
        samples("mnist", "paper/mnist", 28, directory=tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "address"), [("MNIST", "mirrors"), ("CIFAR10", "url")])
def test_a_download_that_fails(
    name: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is at fault who called the command: no UsageError."""
    import_torchvision()
    from torchvision import datasets

    nowhere = (tmp_path / "nowhere").as_uri()
    monkeypatch.setattr(getattr(datasets, name), address, [nowhere] if name == "MNIST" else nowhere)
    with pytest.raises(BenchError, match=f"^{name} cannot be downloaded: ") as error:
        samples(name.lower(), directory=tmp_path, download=True)
    assert not isinstance(error.value, UsageError) and "\n" not in str(error.value)


def test_cifar10_in_its_own_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written as it is published, with checksums that fit."""
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
    monkeypatch.setattr(
        CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]}
    )
    batch = samples("cifar10", directory=tmp_path).batch([1, 0])
    assert batch.target.tolist() == [9, 3]
    red = (batch.input[1, 0] * 0.2470 + 0.4914) * 255
    expected = torch.from_numpy(pixels[0, :1024].reshape(32, 32)).float()
    torch.testing.assert_close(red, expected, atol=1e-3, rtol=0)
    (base / "data_batch_1").write_bytes(b"damaged")
    with pytest.raises(
        UsageError, match="CIFAR10 is not there or not whole: --download fetches it"
    ):
        samples("cifar10", directory=tmp_path)
