"""``--inputs`` and ``--loss``: a detector of two inputs, in every command that takes them."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from xconv_bench.models import find

Command = Callable[..., Any]
DETECTOR = Path(__file__).parents[3] / "examples" / "two_inputs.py"
OWN = ("--model", f"{DETECTOR}:Detector", "--inputs", f"{DETECTOR}:pairs", "--loss",
       f"{DETECTOR}:loss", "--image-size", 16)  # fmt: skip
XCONV = ("--method", "exact,xconv", "--scheme", "independent", "--probes", 8)
SMALL = (*OWN, "--batch-size", 4)

OTHERS = """
import torch
from torch import nn

class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.flat = nn.LazyLinear(2)

    def forward(self, image, *, scale):
        return self.flat((self.conv(image) * scale).flatten(1))

def by_name(batch_size, image_size):
    return {"image": torch.ones(batch_size, 3, image_size, image_size), "scale": torch.ones(())}

def one_more(batch_size, image_size):
    return torch.ones(batch_size + 1, 3, image_size, image_size)

def text(batch_size, image_size):
    return "batch"

def listed(batch_size, image_size):
    return [torch.ones(batch_size)]

def fails(batch_size, image_size):
    return 1 / 0

def a_map(output, inputs):
    return output

def detached(output, inputs):
    return output.detach().sum()

def a_number(output, inputs):
    return 3

def broken(output, inputs):
    return output["boxes"].sum()

def one_argument(output):
    return output.sum()
"""


def commands_of_page() -> list[list[str]]:
    """Return the words of each command that measures on the page about own models."""
    page = (DETECTOR.parents[1] / "docs" / "own_models.md").read_text()
    return [shlex.split(line) for line in page.splitlines() if line.startswith("xconv-bench")]


@pytest.fixture
def others(tmp_path: Path) -> Path:
    path = tmp_path / "others.py"
    path.write_text(OTHERS)
    return path


def test_simulated_bytes_are_those_of_a_step_that_is_run(command: Command, tmp_path: Path) -> None:
    rows = {}
    for device in ("simulated", "cpu"):
        given = ("--simulate",) if device == "simulated" else ("--device", "cpu", "--steps", 1)
        finished = command("memory", *SMALL, *XCONV, *given, "--output", tmp_path / device)
        assert finished.code == 0, finished.errors
        rows[device] = pd.read_csv(tmp_path / device / "memory.csv")
        assert list(rows[device].status) == ["ok", "ok"]
    for column in ("saved_bytes", "simulated_peak_bytes"):
        assert list(rows["simulated"][column]) == list(rows["cpu"][column])
    exact, xconv = rows["cpu"].gradient_relative_error
    assert exact == 0 < xconv


def test_the_page_has_a_command_that_runs(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (words,) = (words for words in commands_of_page() if "--inputs" in words)
    monkeypatch.chdir(DETECTOR.parents[1])
    finished = command(*words[1:], "--method", "exact", "--output", tmp_path)
    assert finished.code == 0, finished.errors
    assert set(pd.read_csv(tmp_path / "memory.csv").status) == {"ok"}


def test_the_page_s_names_of_other_packages_are_networks() -> None:
    find("resnet18")  # opens the door to torchvision, which they import
    for package in ("segmentation_models_pytorch", "monai", "transformers", "diffusers"):
        pytest.importorskip(package)
    names = [words[words.index("--model") + 1] for words in commands_of_page()]
    others = [name for name in names if name.partition(":")[0] in ("timm", "smp", "monai", "hf")]
    assert len(others) == 4
    for name in others:
        assert find(name).name == name


def test_layers_search_runtime_and_error(command: Command, tmp_path: Path) -> None:
    for name, *options in (
        ("layers", *SMALL, "--method", "exact"),
        ("max-batch", *OWN, "--method", "exact", "--memory-budget", "8MiB"),
        ("runtime", *SMALL, "--method", "exact", "--device", "cpu", "--rounds", 1),
        ("error", *SMALL, "--scheme", "independent", "--probes", 8, "--repeats", 2,
         "--device", "cpu"),
    ):  # fmt: skip
        finished = command(name, *options, "--output", tmp_path / name)
        assert finished.code == 0, finished.errors
        table = pd.read_csv(tmp_path / name / f"{name.replace('-', '_')}.csv")
        assert set(table.status) == {"ok"}, name
        assert table.model.str.contains("two_inputs.py:Detector?inputs=", regex=False).all()
    searched = pd.read_csv(tmp_path / "max-batch" / "max_batch.csv")
    assert searched.max_batch_size[0] > 1
    assert set(pd.read_csv(tmp_path / "error" / "error.csv").data) == {"synthetic"}


def test_advise_plans_a_network_of_several_inputs(command: Command, tmp_path: Path) -> None:
    finished = command("advise", *SMALL, "--error", 0.5, "--repeats", 2, "--rounds", 1,
                       "--device", "cpu", "--output", tmp_path)  # fmt: skip
    assert finished.code == 0, finished.errors
    assert (tmp_path / "plan.toml").is_file()


def test_inputs_by_name_with_lazy_modules_and_the_automatic_loss(
    command: Command, others: Path, tmp_path: Path
) -> None:
    options = ("--model", f"{others}:Named", "--inputs", f"{others}:by_name", "--image-size", 8,
               "--batch-size", 2, "--method", "exact")  # fmt: skip
    finished = command("memory", *options, "--device", "cpu", "--steps", 1, "--output", tmp_path)
    assert finished.code == 0, finished.errors
    refused = command("advise", *options[:-2], "--error", 0.5, "--device", "cpu",
                      "--output", tmp_path / "advise")  # fmt: skip
    assert refused.code == 1 and "advise takes no inputs by name" in refused.output + refused.errors


def test_rows_of_another_file_are_not_taken_for_these(
    command: Command, others: Path, tmp_path: Path
) -> None:
    options = ("--model", "conv:4", "--loss", f"{others}:one_scalar", "--image-size", 8,
               "--batch-size", 2, "--method", "exact", "--simulate",
               "--output", tmp_path / "run")  # fmt: skip
    for times, factor in ((1, 1), (1, 1), (2, 2)):
        path = others.with_name("others.py")
        path.write_text(f"def one_scalar(output, inputs):\n    return output.sum() * {factor}\n")
        finished = command("memory", *options)
        assert finished.code == 0, finished.errors
        assert len(pd.read_csv(tmp_path / "run" / "memory.csv").model.unique()) == times


@pytest.mark.parametrize(
    "option, callable, words",
    [
        ("--inputs", "one_more", "returned 3 samples, expected 2"),
        ("--inputs", "text", "without tensors"),
        ("--inputs", "listed", "returned a list"),
        ("--inputs", "fails", "ZeroDivisionError"),
        ("--loss", "a_map", "not a scalar"),
        ("--loss", "a_number", "returned a int"),
        ("--loss", "detached", "no gradient comes from"),
        ("--loss", "broken", "called with (output, inputs)"),
        ("--loss", "one_argument", "called with (output, inputs)"),
    ],
)
@pytest.mark.parametrize("device", [("--simulate",), ("--device", "cpu")])
def test_a_callable_that_does_not_do_is_one_line(
    command: Command, others: Path, tmp_path: Path,
    option: str, callable: str, words: str, device: tuple[str, ...],
) -> None:  # fmt: skip
    finished = command("memory", "--model", "conv:4", option, f"{others}:{callable}",
                       "--image-size", 8, "--batch-size", 2, "--method", "exact",
                       *device, "--output", tmp_path / "run")  # fmt: skip
    assert finished.code == 1
    (row,) = pd.read_csv(tmp_path / "run" / "memory.csv").to_dict("records")
    assert row["status"] != "ok" and words in row["message"] and "\n" not in row["message"]


@pytest.mark.parametrize(
    "command_and_options, words",
    [
        (("memory", "--inputs", "nosuch.py:f"), "there is no file nosuch.py"),
        (("memory", "--loss", f"{DETECTOR}:los"), "did you mean loss"),
        (("memory", "--loss", f"{DETECTOR}"), "py:CALLABLE is missing; it defines Detector"),
        (("error", "--age", "--loss", f"{DETECTOR}:loss"), "leave out --inputs and --loss"),
        (("error", "--data", "photos", "--loss", f"{DETECTOR}:loss"), "use --data synthetic"),
        (("train", "--loss", f"{DETECTOR}:loss"), "No such option: --loss"),
        (("variance", "--inputs", f"{DETECTOR}:pairs"), "No such option: --inputs"),
    ],
)
def test_mistakes(
    command: Command, tmp_path: Path, command_and_options: tuple[str, ...], words: str
) -> None:
    name, *options = command_and_options
    model = () if name in ("train", "variance") else ("--model", "resnet18")
    refused = command(name, *model, *options, "--output", tmp_path)
    assert refused.code == 2 and words in " ".join(refused.errors.split())


@pytest.mark.parametrize("name", ["train", "variance", "error"])
def test_inputs_are_asked_for_where_they_can_be_given(
    command: Command, others: Path, tmp_path: Path, name: str
) -> None:
    text = "\n\nclass Pair(nn.Conv2d):\n    def forward(self, image, scale): return image * scale\n"
    others.write_text(others.read_text() + text + "def pair(): return Pair(3, 4, 3)\n")
    small = () if name == "train" else ("--batch-size", 2, "--samples", 8)
    given = ("--model", f"{others}:pair", "--image-size", 16, *small)
    finished = command(name, *given, "--output", tmp_path / "run")
    line = finished.errors.splitlines()[-1]
    assert finished.code == 2 and "others.py:pair takes image and scale: " in line
    assert ("give --inputs FILE.py:callable, which returns both" in line) == (name == "error")
    assert ("this command gives a network images alone" in line) == (name != "error")
