"""Tasks: batches by seed and epoch alone, data that are kept apart, measures, and mistakes."""

import functools
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from xconv_bench.errors import UsageError
from xconv_bench.tasks import TASKS, Task, TaskOptions, make_task, task_class
from xconv_bench.tasks.composed import Composer
from xconv_bench.tasks.frechet import frechet_distance, trained_classifier
from xconv_bench.tasks.measures import Overlap
from xconv_bench.tasks.order import generator, shuffled_batches, split


@functools.cache
def made(name: str) -> Task:
    return make_task(name, TaskOptions())


@pytest.fixture(params=sorted(TASKS))
def task(request: pytest.FixtureRequest) -> Task:
    return made(request.param)


def first_batch(task: Task, epoch: int) -> dict[str, torch.Tensor]:
    return dict(next(iter(task.batches(epoch))))


def test_batches_follow_from_seed_and_epoch(task: Task) -> None:
    before = torch.get_rng_state()
    again = make_task(task.name, TaskOptions())
    torch.rand(3)
    one, same, later = first_batch(task, 0), first_batch(again, 0), first_batch(task, 1)
    other = first_batch(make_task(task.name, TaskOptions(seed=1)), 0)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], later[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    torch.set_rng_state(before)
    list(islice(task.batches(2), 2))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_epoch_has_as_many_batches_as_it_says(task: Task) -> None:
    count = sum(1 for _ in task.batches(0))
    assert count == task.steps()
    assert all(len(tensor) == task.batch_size for tensor in first_batch(task, 0).values())


def test_measures_and_pictures_before_training(task: Task) -> None:
    torch.manual_seed(0)
    model = task.build().eval()
    with torch.no_grad():
        values = task.evaluate(model)
        again = task.evaluate(model)
        pictures = {**task.pictures(model), **task.references()}
    assert values == again
    assert set(values) == {measure.column for measure in task.measures}
    assert all(np.isfinite(value) for value in values.values())
    for picture in pictures.values():
        assert picture.ndim in (2, 3) and picture.dtype.kind == "f"
        assert picture.min() >= -0.1 and picture.max() <= 1.1


@pytest.mark.parametrize(
    ("name", "measure"), [("inpainting", "psnr_db"), ("segmentation-3d", "dice")]
)
def test_training_helps(name: str, measure: str) -> None:
    task = make_task(name, TaskOptions(image_size=32))
    torch.manual_seed(0)
    model = task.build()
    optimizer = task.optimizer(model, task.learning_rate)
    with torch.no_grad():
        before = task.evaluate(model.eval())
    model.train()
    for batch in task.batches(0):
        optimizer.zero_grad()
        task.loss(model, batch).backward()
        optimizer.step()
    with torch.no_grad():
        after = task.evaluate(model.eval())
    assert after[measure] > before[measure] * 1.1


def test_what_is_tested_is_not_trained_on() -> None:
    for count in (16, 1797):
        training, test = split(count, 0.25)
        assert not set(training.tolist()) & set(test.tolist())
        assert len(training) + len(test) == count
    parts = [Composer(32, is_training) for is_training in (True, False)]
    assert not set(parts[0]._digits) & set(parts[1]._digits)
    assert not set(parts[0]._photos) & set(parts[1]._photos)


def test_tasks_test_on_what_they_do_not_train_on() -> None:
    made = make_task("generation", TaskOptions())
    trained = {image.numpy().tobytes() for image in made._images}  # type: ignore[attr-defined]
    kept = [image.numpy().tobytes() for image in made._real]  # type: ignore[attr-defined]
    assert len(kept) == 359 and not trained & set(kept)
    for name in ("segmentation", "segmentation-3d"):
        training, test = make_task(name, TaskOptions())._composers  # type: ignore[attr-defined]
        assert not set(training._digits) & set(test._digits)
        assert not set(training._photos) & set(test._photos)
        task = make_task(name, TaskOptions())
        assert not torch.equal(task.training_pair(0)[0], task.test_pair(0)[0])  # type: ignore[attr-defined]


def test_digits_are_made_by_following_the_velocity() -> None:
    """The straight way to an image, (x₁ - x) / (1 - t), ends there, whatever the noise."""
    task = make_task("generation", TaskOptions())
    labels = torch.arange(10)
    images = torch.stack([task._images[task._labels == label][0] for label in labels])  # type: ignore[attr-defined]

    class Straight(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(
            self, place: torch.Tensor, time: torch.Tensor, label: torch.Tensor
        ) -> torch.Tensor:
            return (images[label] - place) / (1 - time)[:, None, None, None]

    made, asked = task._generate(Straight(), 20)  # type: ignore[attr-defined]
    assert asked.tolist() == [*range(10), *range(10)]
    torch.testing.assert_close(made, images[asked], atol=1e-5, rtol=0)
    batch = first_batch(task, 0)
    time = batch["time"][:, None, None, None]
    ends = batch["place"] + (1 - time) * batch["velocity"]
    torch.testing.assert_close(ends.clamp(-1, 1), ends, atol=1e-5, rtol=0)


def test_mnist_in_a_folder(tmp_path: Path) -> None:
    """Ten digits in the files that MNIST has: a head of four-byte numbers, then bytes."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 8), ("t10k", 4)):
        pictures = np.zeros((count, 28, 28), np.uint8)
        pictures[:, 10:18, 10:18] = 255
        head = np.array([2051, count, 28, 28], ">i4").tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + pictures.tobytes())
        labels = np.array([2049, count], ">i4").tobytes() + bytes(range(count))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    task = make_task(
        "classification",
        TaskOptions(data="mnist", data_dir=tmp_path, batch_size=4, model="paper/mnist-2021"),
    )
    assert (task.sample_count, task.steps(), task.epochs) == (8, 2, 20)
    seen = [batch["label"] for batch in task.batches(0)]
    assert sorted(torch.cat(seen).tolist()) == list(range(8))
    assert first_batch(task, 0)["image"].shape == (4, 1, 28, 28)
    with torch.no_grad():
        assert 0 <= task.evaluate(task.build().eval())["accuracy"] <= 1


def test_composed_images_repeat_and_their_masks_are_exact() -> None:
    image, mask = Composer(48, True).image(7)
    again, _ = Composer(48, True).image(7)
    other, _ = Composer(48, True).image(8)
    assert torch.equal(image, again) and not torch.equal(image, other)
    assert image.shape == mask.shape == (1, 48, 48)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    volume, voxels = Composer(32, False).volume(3, 16)
    assert volume.shape == voxels.shape == (1, 16, 32, 32)
    assert 0 < voxels.mean() < 0.5


def test_batches_are_a_permutation() -> None:
    order = torch.cat(list(shuffled_batches(20, 5, seed=0, epoch=0)))
    assert sorted(order.tolist()) == list(range(20))
    assert sum(1 for _ in shuffled_batches(20, 6, seed=0, epoch=0)) == 3
    assert not torch.equal(*(torch.rand(3, generator=generator(0, n)) for n in (0, 1)))


def test_overlap_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score, jaccard_score

    chance = torch.Generator().manual_seed(0)
    overlap = Overlap()
    masks = torch.rand((2, 6, 1, 8, 8), generator=chance) > 0.6
    for predicted, true in zip(*masks, strict=True):
        overlap.add(predicted, true)
    predicted, true = (mask.flatten().numpy() for mask in masks)
    assert overlap.dice == pytest.approx(f1_score(true, predicted))
    assert overlap.iou == pytest.approx(jaccard_score(true, predicted))
    assert (Overlap().dice, Overlap().iou) == (1.0, 1.0)


def test_accuracy_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score

    task = make_task("classification", TaskOptions(image_size=8))
    torch.manual_seed(0)
    model = task.build().eval()
    batch = task._test.batch(torch.arange(len(task._test)))  # type: ignore[attr-defined]
    with torch.no_grad():
        predicted = model(batch["image"]).argmax(1)
        assert task.evaluate(model)["accuracy"] == accuracy_score(batch["label"], predicted)


def test_frechet_distance_is_that_of_the_matrix_root() -> None:
    from scipy.linalg import sqrtm

    chance = torch.Generator().manual_seed(0)
    first = torch.randn((50, 6), generator=chance, dtype=torch.float64)
    second = first[:40] @ torch.randn((6, 6), generator=chance, dtype=torch.float64) + 1
    one, other = np.cov(first.T), np.cov(second.T)
    means = ((first.mean(0) - second.mean(0)) ** 2).sum().item()
    expected = means + np.trace(one + other - 2 * sqrtm(one @ other).real)
    assert frechet_distance(first, second) == pytest.approx(expected)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6)
    # Of two normal distributions in one dimension: (μ₁ - μ₂)² + (σ₁ - σ₂)².
    line = torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).repeat(5, 1)
    spread = float(line[:, 0].std())
    assert frechet_distance(line, 3 * line + 2) == pytest.approx(8 + 4 * spread**2)


def test_the_judging_classifier_knows_digits() -> None:
    task = made("generation")
    classifier = task.classifier  # type: ignore[attr-defined]
    right = classifier(task._images).argmax(1) == task._labels  # type: ignore[attr-defined]
    assert right.float().mean() > 0.97
    before = torch.get_rng_state()
    again = trained_classifier(task._images, task._labels)  # type: ignore[attr-defined]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(again.head.weight, classifier.head.weight)


def test_psnr_and_ssim_of_the_photograph_itself() -> None:
    task = make_task("super-resolution", TaskOptions(image_size=32))

    class Perfect(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, noise: torch.Tensor) -> torch.Tensor:
            truth: torch.Tensor = task._truth + 0.1  # type: ignore[attr-defined]
            return truth

    with torch.no_grad():
        values = task.evaluate(Perfect())
    # All pixels are off by 0.1, but those that would be above 1.
    assert values["psnr_db"] == pytest.approx(20, abs=1.5) and values["ssim"] > 0.9


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("classification", {"data": "digit"}, "did you mean 'digits'?"),
        ("classification", {"data": "mnist"}, "--data mnist needs --data-dir"),
        ("classification", {"data_dir": Path(".")}, "digits come with a package"),
        ("generation", {"data_dir": Path(".")}, "leave out --data-dir and --download"),
        ("inpainting", {"download": True}, "photographs come with a package"),
        ("segmentation", {"data_dir": Path(".")}, "digits and photographs come with a package"),
        ("segmentation-3d", {"download": True}, "digits come with a package"),
        ("segmentation-3d", {"image_size": 4}, "multiples of 4, from 8 on"),
        ("inpainting", {"image_size": 8}, "multiples of 8, from 16 on"),
        ("classification", {"batch_size": 5000}, "larger than the data, 1438 pictures"),
        ("classification", {"model": "paper/mnits"}, "paper/mnits"),
        ("classification", {"model": "paper/unet"}, "a network for reconstruction"),
        ("classification", {"model": "paper/ddpm"}, "a network for noise prediction"),
        ("generation", {"data": "mnist"}, "generation is of digits only"),
        ("generation", {"image_size": 18}, "multiples of 4"),
        ("inpainting", {"data": "cat"}, "is no photograph of inpainting"),
        ("inpainting", {"batch_size": 2}, "inpainting is of one image"),
        ("super-resolution", {"image_size": 60}, "multiples of 8"),
        ("classification", {"model": "fcn_resnet50"}, "takes networks that classify images"),
        ("segmentation", {"data": "pets"}, "is no data of segmentation"),
        ("segmentation", {"data": "oxford-pet"}, "needs --data-dir"),
        ("segmentation", {"image_size": 50}, "multiples of 8"),
        ("segmentation", {"model": "unet3d"}, "is trained with unet"),
        ("segmentation-3d", {"batch_size": 97}, "larger than the data, 96 samples"),
    ],
)
def test_mistakes(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        make_task(name, TaskOptions(**options))  # type: ignore[arg-type]
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_tasks_by_name() -> None:
    assert task_class("inpainting").name == "inpainting"
    with pytest.raises(UsageError, match="did you mean 'segmentation'"):
        task_class("segmentaton")


def test_pets_in_a_folder(tmp_path: Path) -> None:
    """A few pictures in the layout of the Oxford-IIIT pets."""
    from PIL import Image

    root = tmp_path / "oxford-iiit-pet"
    for folder in ("images", "annotations/trimaps"):
        (root / folder).mkdir(parents=True)
    names = [f"cat_{number}" for number in range(4)]
    for name in names:
        Image.new("RGB", (40, 30), "red").save(root / f"images/{name}.jpg")
        marks = np.full((30, 40), 2, np.uint8)
        marks[10:20, 10:30] = 1
        Image.fromarray(marks).save(root / f"annotations/trimaps/{name}.png")
    for part in ("trainval", "test"):
        lines = [f"{name} 1 1 1\n" for name in names]
        (root / f"annotations/{part}.txt").write_text("".join(lines))
    task = make_task(
        "segmentation",
        TaskOptions(data="oxford-pet", data_dir=tmp_path, batch_size=2, image_size=16),
    )
    batch = first_batch(task, 0)
    assert batch["image"].shape == (2, 3, 16, 16)
    assert 0.2 < batch["mask"].mean() < 0.4
    with pytest.raises(UsageError, match="the pets are not there or not whole"):
        make_task("segmentation", TaskOptions(data="oxford-pet", data_dir=tmp_path / "images"))
