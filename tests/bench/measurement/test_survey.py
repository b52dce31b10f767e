"""Everything that is looked at before anything is measured."""

import pytest
import torch
from own_networks import name

from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import BenchError, UsageError
from xconv_bench.measurement.survey import Survey

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


def test_sizes_that_models_were_designed_for() -> None:
    models = ("paper/mnist", "inception_v3", name("plain"))
    (readings,) = Survey(models, ("cpu", SIMULATED))()
    assert readings == {"designed_sizes": dict(zip(models, (28, 299, 224), strict=True))}


@pytest.mark.parametrize(
    ("survey", "message"),
    [
        (Survey(("resnet50", "nosuch"), ("cpu",)), "there is no model named 'nosuch'"),
        (Survey(("resnet50",), ("cpu", "tpu")), "--device 'tpu' is unknown: expected cpu, cuda"),
        (Survey(("resnet50",), ("meta",)), "--device 'meta' is unknown"),
        (
            Survey(("resnet50",), ("cpu", SIMULATED), computes=True),
            "--device simulated: this command computes",
        ),
        (Survey(("resnet50", "paper/unet"), ("cpu",), (128, 100)), "a multiple of 16 pixels, not"),
    ],
    ids=["model", "device", "device that torch has", "simulated", "image size"],
)
def test_mistakes(survey: Survey, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        list(survey())
    assert message in str(caught.value)


@without_cuda
@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
def test_a_device_that_this_machine_lacks(device: str) -> None:
    with pytest.raises(BenchError, match=f"--device {device}: no CUDA device") as caught:
        list(Survey(("resnet50",), (device,))())
    assert caught.value.exit_code == 1 and "or --device simulated" in str(caught.value)
    with pytest.raises(BenchError) as caught:
        list(Survey(("resnet50",), (device,), computes=True)())
    assert str(caught.value).endswith("use --device cpu")


def test_a_device_beyond_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    list(Survey(("resnet50",), ("cuda", "cuda:1"))())
    with pytest.raises(UsageError, match="the last CUDA device is cuda:1"):
        list(Survey(("resnet50",), ("cuda:2",))())
