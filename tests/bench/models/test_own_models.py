"""Networks of the user's own, and one line for everything that can be wrong with them."""

import re
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from xconv_bench.data import batch
from xconv_bench.errors import UsageError
from xconv_bench.models import own
from xconv_bench.models.registry import find
from xconv_bench.objectives.automatic import AutomaticObjective

GOOD = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, width=4):
        super().__init__(nn.Conv2d(3, width, 3), nn.Flatten(), nn.LazyLinear(5))

def net():
    return Net()
"""

BAD = """
import torch

number = 3
ready = torch.nn.ReLU()

def wants(width, *, depth):
    return torch.nn.ReLU()

def fails():
    return 1 / 0

def returns_text():
    return "network"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory; the search path is put back afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def refusal(name: str) -> str:
    """The message with which ``find`` or ``build`` refuses a name; it must be one line."""
    with pytest.raises(UsageError) as caught:
        find(name).build(32)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("attribute", ["net", "Net"])
def test_a_file_by_its_path(folder: Path, attribute: str) -> None:
    (folder / "networks").mkdir()
    (folder / "networks" / "good.py").write_text(GOOD)
    architecture = find(f"networks/good.py:{attribute}")
    sample = batch(architecture, 2, 8, torch.float32, "cpu", seed=0)
    loss = architecture.objective.loss(architecture.build(8)(sample.input), sample.target)
    assert architecture.name == f"networks/good.py:{attribute}"
    assert architecture.objective == AutomaticObjective()
    assert loss.isfinite()


def test_a_module_in_the_current_directory(folder: Path) -> None:
    (folder / "own_module_here.py").write_text(GOOD)
    assert isinstance(find("own_module_here:net").build(8), nn.Module)


def test_a_file_may_import_its_neighbour_and_have_any_name(folder: Path) -> None:
    (folder / "own_neighbour.py").write_text(GOOD)
    (folder / "torch.py").write_text("from own_neighbour import net")
    assert isinstance(find("torch.py:net").build(8), nn.Module)
    assert sys.modules["torch"] is torch


def test_a_file_is_run_once(folder: Path) -> None:
    (folder / "once.py").write_text(f"{GOOD}\nopen('runs', 'a').write('x')")
    find("once.py:net")
    find(f"{folder}/once.py:net")
    assert (folder / "runs").read_text() == "x"


@pytest.mark.parametrize("owner", ["net.sample_shape", "sample_shape"])
def test_the_shape_of_a_sample_may_be_declared(folder: Path, owner: str) -> None:
    path = folder / f"shape_{owner.replace('.', '_')}.py"
    path.write_text(f"{GOOD}\n{owner} = lambda size: (1, 4, size, size)")
    assert find(f"{path}:net").sample_shape(32) == (1, 4, 32, 32)
    assert find(f"{path}:net").sample_shape(8) == (1, 4, 8, 8)


def test_a_sample_is_a_colour_image_unless_declared(folder: Path) -> None:
    (folder / "undeclared.py").write_text(GOOD)
    assert find("undeclared.py:net").sample_shape(32) == (3, 32, 32)


def test_a_sample_has_the_channels_of_the_first_convolution(folder: Path) -> None:
    (folder / "grey.py").write_text(
        "import torch\nmade = []\n"
        "def net():\n    made.append(1)\n    return torch.nn.Conv2d(1, torch.randint(2, 9, ()), 3)"
    )
    before = torch.get_rng_state()
    assert find("grey.py:net").sample_shape(32) == (1, 32, 32)
    assert torch.equal(torch.get_rng_state(), before)
    assert find("grey.py:net").sample_shape(8) == (1, 8, 8)
    assert len(own.load("grey.py:net")[0].made) == 1


@pytest.mark.parametrize(
    ("network", "required"),
    [
        ("def forward(self, image, depth, mask): ...", "image, depth and mask: .* all of them "),
        ("def forward(self, image, *, scale): ...", "image and scale: give --inputs .* both "),
    ],
)
def test_inputs_that_nobody_gives(folder: Path, network: str, required: str) -> None:
    (folder / "fused.py").write_text(f"import torch\nclass Net(torch.nn.Module):\n    {network}")
    assert re.search(f"^fused.py:Net takes {required}", refusal("fused.py:Net"))


@pytest.mark.parametrize(
    "network",
    [
        "def forward(self, image, depth=None): ...",
        "def forward(self, *images): ...",
        "def __call__(self, image): ...\n    def forward(self, image, depth): ...",
        "def fill(f): return functools.wraps(f)(lambda self, image: f(self, image, 3))\n"
        "    @fill\n    def forward(self, image, depth): ...",
    ],
)
def test_inputs_that_the_network_fills_in(folder: Path, network: str) -> None:
    text = f"import functools, torch\nclass Net(torch.nn.Module):\n    {network}"
    (folder / "filled.py").write_text(text)
    assert isinstance(find("filled.py:Net").build(32), nn.Module)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("lambda size: 1 / 0", "failed: ZeroDivisionError"),
        ("lambda size: size", "failed: TypeError"),
        ("(3, 32, 32)", "failed: TypeError: 'tuple' object is not callable"),
        ("lambda size: ()", r"returned \(\), not the shape of one input"),
        ("lambda size: (3, 0)", r"returned \(3, 0\), not the shape of one input"),
    ],
)
def test_a_bad_sample_shape(folder: Path, declared: str, said: str) -> None:
    (folder / "shape.py").write_text(f"{GOOD}\nsample_shape = {declared}")
    with pytest.raises(UsageError, match=rf"sample_shape\(16\) of shape.py:net {said}"):
        find("shape.py:net").sample_shape(16)


def test_a_missing_file() -> None:
    assert refusal("missing.py:net") == (
        "there is no file missing.py: give path/to/file.py:callable"
    )


@pytest.mark.parametrize(
    "name", ["no_such_module:net", ":net", "folder/without_ending:net", ".:net"]
)
def test_a_missing_module(name: str) -> None:
    message = refusal(name)
    assert message.startswith(f"cannot import '{name.partition(':')[0]}': ")
    assert message.endswith("or path/to/file.py:callable")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "import torch\nundefined",
            "NameError: name 'undefined' is not defined (broken.py, line 2)",
        ),
        ("def net(:", "SyntaxError: invalid syntax (broken.py, line 1)"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit: 3 (broken.py, line 1)"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines (broken.py, line 1)"),
    ],
)
def test_a_file_that_cannot_be_imported(folder: Path, text: str, said: str) -> None:
    (folder / "broken.py").write_text(text)
    assert refusal("broken.py:net") == f"broken.py cannot be imported: {said}"


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("wantz", "bad.py has nothing named 'wantz'; did you mean wants?"),
        ("zzz", "bad.py has nothing named 'zzz'; it defines wants, fails, returns_text"),
        ("", "bad.py:CALLABLE is missing; it defines wants, fails, returns_text"),
        ("number", "number in bad.py is of type int: name a function or class that returns"),
        ("ready", "ready in bad.py is a network already: name a function that returns it"),
        ("wants", "wants(width, *, depth) in bad.py cannot be called without arguments"),
        ("fails", "bad.py:fails failed when called: ZeroDivisionError: division by zero (bad.py"),
        ("returns_text", "bad.py:returns_text returned a str, not a torch.nn.Module"),
    ],
)
def test_a_callable_that_cannot_be_used(folder: Path, attribute: str, said: str) -> None:
    (folder / "bad.py").write_text(BAD)
    assert refusal(f"bad.py:{attribute}").startswith(said)


def test_an_empty_file(folder: Path) -> None:
    (folder / "empty.py").write_text("")
    assert refusal("empty.py:net") == (
        "empty.py has nothing named 'net'; it defines no function and no class"
    )


@pytest.mark.parametrize("name", ["~nobody-of-this-name/net.py:Net", "circle.py:Net"])
def test_a_file_that_cannot_be_looked_for(folder: Path, name: str) -> None:
    (folder / "circle.py").symlink_to(folder / "back.py")
    (folder / "back.py").symlink_to(folder / "circle.py")
    said = refusal(name)
    assert "cannot be read: " in said or "there is no file circle.py" in said
    assert said.endswith("give path/to/file.py:callable")
