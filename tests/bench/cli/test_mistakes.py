"""Mistakes of the user's: exit code 2 and one line that says what to do; 1 where the machine is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from own_networks import name

from xconv_bench.results.run_directory import RunDirectory

Command = Callable[..., Any]

MNIST = ("memory", "--model", "paper/mnist")


def complaint(command: Command, *arguments: object, code: int = 2) -> str:
    """The one line that a command says in its whole life."""
    finished = command(*arguments)
    assert finished.code == code, finished.errors
    assert finished.output == ""
    (line,) = finished.errors.splitlines()
    assert line.startswith("xconv-bench: ")
    return str(line.removeprefix("xconv-bench: "))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["report", "--format", "doc"], "for '--format': 'doc' is not one of 'html', "),
        (["memory"], "Missing option '--model'"),
        ([*MNIST, "--nosuch"], "No such option: --nosuch"),
        (
            [*MNIST, "--method", "exact,nosuch"],
            "--method 'nosuch' is unknown: choose from checkpoint,",
        ),
        ([*MNIST, "--method", "checkpiont"], "is unknown: did you mean 'checkpoint'?"),
        ([*MNIST, "--compress", "conv,pol"], "--compress 'pol' is unknown: did you mean 'pool'?"),
        (["memory", "resnet50"], "memory resnet50: did you mean --model resnet50?"),
        ([*MNIST, "checkpoint"], "memory checkpoint: did you mean --method checkpoint?"),
        ([*MNIST, "8"], "Got unexpected extra argument(s) (8)"),
        (
            ["max-batch", "--model", "paper/mnist", "--memory-budget", "16"],
            "--memory-budget '16': 16 bytes? write 16GiB or 16MiB",
        ),
        ([*MNIST, "--scheme", "nosuch"], "choose from independent, multi, orthogonal"),
        ([*MNIST, "--first", "x"], "--first 'x' is unknown: choose from compressed, exact"),
        (
            [*MNIST, "--scheme", "spectral", "--probes", "8"],
            "--probes is no option of --scheme spectral: spectral takes --bits (above 0, up to 8)",
        ),
        (
            [*MNIST, "--scheme", "independent", "--bits", "2"],
            "--bits is no option of --scheme independent: independent takes --probes (a whole numb",
        ),
        (
            [*MNIST, "--scheme", "quantized", "--bits", "0.5"],
            "--bits 0.5: quantized takes 1, 2, 4 or 8",
        ),
        ([*MNIST, "--method", "quantized", "--bits", "3"], "--bits 3: quantized takes 1, 2, 4 or"),
        ([*MNIST, "--scheme", "spectral", "--bits", "9"], "--bits 9: spectral takes above 0, up t"),
        ([*MNIST, "--bits", "0"], "--bits '0': expected a number above 0"),
        ([*MNIST, "--scheme", "sampling", "--keep", "2"], "--keep '2': expected a number above 0"),
        ([*MNIST, "--dtype", "int8"], "--dtype 'int8' is unknown: choose from bfloat16,"),
        ([*MNIST, "--norm-bits", "3"], "--norm-bits '3' is unknown: choose from 1, 2, 4, 8"),
        ([*MNIST, "--compress", "conv,rnn"], "--compress 'rnn' is unknown: choose from "),
        ([*MNIST, "--probes", "8,x"], "--probes 'x': expected an integer of 0 or more"),
        ([*MNIST, "--probes", "-1"], "--probes '-1': expected an integer of 0 or more"),
        ([*MNIST, "--batch-size", "0"], "--batch-size '0': expected an integer of 1 or more"),
        ([*MNIST, "--image-size", "1.5"], "--image-size '1.5': expected an integer of 1 or more"),
        ([*MNIST, "--repeats", "0"], "--repeats"),
        ([*MNIST, "--steps", "0"], "--steps"),
        ([*MNIST, "--timeout", "0"], "--timeout"),
        ([*MNIST, "--seed", "-1"], "--seed"),
        ([*MNIST, "--simulate", "--device", "cpu"], "leave out either it or --device"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_options(command: Command, folder: Path, arguments: list[str], message: str) -> None:
    assert message in complaint(command, *arguments)
    assert list(folder.iterdir()) == []


LARGEST = ("max-batch", "--model", "paper/mnist")
FLOATS = [
    (*MNIST, "--timeout"), (*MNIST, "--keep"), ("variance", "--target-ratio"),
    (*LARGEST, "--headroom"), ("train", "--learning-rate"),
]  # fmt: skip
UNBOUNDED = [("variance", "--target-ratio"), ("train", "--learning-rate")]
NUMBERS = [
    *FLOATS, (*MNIST, "--probes"), (*MNIST, "--batch-size"), (*MNIST, "--image-size"),
    (*MNIST, "--segments"), (*MNIST, "--bits"), (*MNIST, "--repeats"), (*MNIST, "--steps"),
    (*MNIST, "--seed"), (*MNIST, "--jobs"), (*MNIST, "--frames"), ("error", "--samples"),
    ("error", "--warmup-steps"), ("error", "--repeats"), ("variance", "--minibatches"),
    ("runtime", "--rounds"), (*LARGEST, "--max"), ("train", "--seeds"), ("train", "--epochs"),
    ("train", "--batch-size"), ("train", "--image-size"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "value"),
    [
        *((words, "9" * digits) for words in NUMBERS for digits in (400, 5000)),
        *((words, "9" * 12) for words in NUMBERS if words not in UNBOUNDED),
        *((words, value) for words in FLOATS for value in ("nan", "inf", "-inf", "1e999")),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else value[:5],
)
def test_absurd_numbers(command: Command, folder: Path, words: tuple[str, ...], value: str) -> None:
    line = complaint(command, *words, value)
    assert words[-1] in line and len(line) < 200
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "option",
    ["--method", "--scheme", "--probes", "--compress", "--batch-size", "--image-size", "--dtype",
     "--device", "--model"],
)  # fmt: skip
def test_empty_values(command: Command, folder: Path, option: str) -> None:
    given = ["memory", option, ","] if option == "--model" else [*MNIST, option, ","]
    assert complaint(command, *given) == f"{option} is empty: give at least one value"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "resnet5"], "there is no model named 'resnet5'; did you mean resnet50"),
        (["--model", "paper/mnist,nosuch"], "there is no model named 'nosuch'"),
        (["--model", "no/file.py:net"], "there is no file no/file.py"),
        (["--model", name("plan")], "has nothing named 'plan'; did you mean plain"),
        (["--model", "paper/unet", "--image-size", "64,100"], "a multiple of 16 pixels, not 100"),
        (["--model", "resnet18", "--frames", "8"], "resnet18"),
        (["--model", "paper/cifar", "--frames", "8"], "paper/cifar takes no frames"),
        (["--model", "resnet18", "--seed", str(2**70)], "--seed"),
        (
            ["--model", "paper/mnist", "--device", "cdua"],
            "'cdua' is unknown: expected cpu, cuda, cuda:N or simulated; did you mean cuda?",
        ),
        (["--model", name("").removesuffix(":")], "own_networks.py:CALLABLE is missing; it defin"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_models_and_devices(
    command: Command, folder: Path, arguments: list[str], message: str
) -> None:
    assert message in complaint(command, "memory", *arguments)
    assert list(folder.iterdir()) == []


def test_a_network_that_cannot_be_built(command: Command) -> None:
    finished = command("memory", "--model", name("fails"), "--simulate")
    assert finished.code == 2
    line = finished.errors.splitlines()[-1]
    assert line.startswith("xconv-bench: ")
    assert "fails failed when called: RuntimeError: not today, nor tomorrow" in line
    assert "Traceback" not in finished.errors


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there(command: Command, folder: Path) -> None:
    line = complaint(command, *MNIST, "--device", "cuda", code=1)
    assert "no CUDA device is usable here" in line and "--device simulated" in line
    assert list(folder.iterdir()) == []


def test_output_that_is_a_file(command: Command, folder: Path) -> None:
    (folder / "taken").write_text("text")
    line = complaint(command, *MNIST, "--simulate", "--output", "taken")
    assert line.startswith("taken cannot be used: ") and "another --output" in line
    assert (folder / "taken").read_text() == "text"


def test_output_that_is_in_use(command: Command, folder: Path) -> None:
    with RunDirectory("memory", "model", folder / "run"):
        line = complaint(command, *MNIST, "--simulate", "--output", "run")
    assert line.startswith("run is in use by another run: ")


def test_a_table_of_someone_else(command: Command, folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run/memory.csv").write_text("name,age\nJ. R.,42\n")
    line = complaint(command, *MNIST, "--simulate", "--output", "run", code=1)
    assert line.startswith("run/memory.csv is not a table of this version")
    assert (folder / "run/memory.csv").read_text() == "name,age\nJ. R.,42\n"


def test_a_record_of_someone_else(command: Command, folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run/environment.json").write_text(json.dumps([1, 2]))
    line = complaint(command, *MNIST, "--simulate", "--output", "run", code=1)
    assert line.startswith("run/environment.json is not a record of an environment")
