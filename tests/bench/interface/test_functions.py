"""Commands as functions: one description, a table with its dtypes, and objects left as they are."""

import builtins
import copy
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import own_networks
import pandas as pd
import pytest
import torch
from torch import nn

import xconv
import xconv_bench as xb
from xconv_bench.cli.measuring import MEASURING, parsers
from xconv_bench.errors import UsageError
from xconv_bench.results.schema import TABLES

QUICK: dict[str, Any] = {
    "simulate": True, "cross_check": False, "batch_size": 2, "image_size": 16, "probes": 4,
    "scheme": "independent",
}  # fmt: skip
HERE = pytest.mark.usefixtures("in_this_process")
PEAK = "simulated_peak_bytes"


def local_network() -> nn.Module:
    """One that no other process can rebuild: pickle takes no function inside another."""
    network = own_networks.normalized()
    network.register_forward_hook(lambda *_: None)
    return network


class Fused(nn.Module):
    """A network of two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, image: torch.Tensor, depth: torch.Tensor, scale: float = 1.0) -> Any:
        return self.conv(image) * depth * scale


def test_every_command_that_measures_is_a_function_with_its_options() -> None:
    assert {name.replace("-", "_") for name in MEASURING} | {"plot"} <= set(dir(xb))
    for command, parser in parsers().items():
        function = getattr(xb, command.replace("-", "_"))
        options = [each.opts[0] for each in parser.params if each.opts[0] != "--help"]
        names = {each.removeprefix("--").replace("-", "_") for each in options}
        assert set(inspect.signature(function).parameters) == names
        assert all(f"\n    {name}: " in function.__doc__ for name in names)
        assert "--" not in function.__doc__


@HERE
def test_a_table_is_that_of_the_csv(tmp_path: Path) -> None:
    table = xb.memory(own_networks.name("normalized"), output=tmp_path / "run", **QUICK)
    read = pd.read_csv(tmp_path / "run" / "memory.csv", dtype=dict(table.dtypes))
    pd.testing.assert_frame_equal(table, read, check_like=True)
    assert tuple(read.columns) == TABLES["memory"].names
    kinds = {name: str(table.dtypes[name]) for name in ("model", "probes", "keep")}
    assert kinds == {"model": "string", "probes": "Int64", "keep": "float64"}


@HERE
def test_how_rows_ended_follows_on_what_tells_them_apart() -> None:
    table = xb.memory(own_networks.normalized, **{**QUICK, "probes": [2, 4]})
    assert list(table.columns[:5]) == ["model", "method", "probes", "status", "message"]


@HERE
def test_rows_that_fail_warn_of_the_first() -> None:
    said = r"^memory: 2 of 2 rows are not ok; the first, Linear exact, ended with error: Runtime"
    with pytest.warns(UserWarning, match=said) as caught:
        table = xb.memory(nn.Linear(3, 3), **QUICK)
    assert list(table["status"]) == ["error", "unsupported"]
    assert [Path(each.filename).name for each in caught] == ["test_functions.py"]


@HERE
def test_a_notebook_gets_a_plain_line_for_each_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = type("ZMQInteractiveShell", (), {})  # by which Jupyter is known
    monkeypatch.setattr(builtins, "get_ipython", shell, raising=False)
    xb.memory(own_networks.name("normalized"), method="exact", **QUICK)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("[1/1] ") and ": ok" in line and "\x1b" not in line


@HERE
def test_nothing_is_written_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    xb.memory(own_networks.name("normalized"), method="exact", **QUICK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [own_networks.normalized, local_network])
def test_an_object_is_measured_as_its_name_is_and_left_alone(make: Any) -> None:
    model = make().eval()
    before, classes = copy.deepcopy(model.state_dict()), [type(m) for m in model.modules()]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    table = xb.memory(model, **QUICK)
    assert torch.equal(torch.rand(3), expected)
    named = xb.memory(own_networks.name("normalized"), **QUICK)
    assert list(table["status"]) == ["ok", "ok"]
    assert list(table["model"]) == ["Sequential"] * 2
    assert list(table[PEAK]) == list(named[PEAK])
    assert [type(m) for m in model.modules()] == classes and not model.training
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_real_steps_of_a_local_object_say_where() -> None:
    settings = {**QUICK, "simulate": False, "device": "cpu", "method": "exact", "steps": 1}
    table = xb.memory(local_network(), **settings)
    assert table["status"][0] == "ok"
    assert "in the calling process" in table["message"][0]


@HERE
def test_functions_are_given_the_image_size_they_ask_for() -> None:
    def sized(image_size: int) -> nn.Module:
        assert image_size == 16
        return own_networks.normalized()

    models = [sized, own_networks.normalized, own_networks.normalized]
    table = xb.memory(models, method="exact", **QUICK)
    assert list(table["model"]) == ["sized", "normalized", "normalized-2"]
    assert table[PEAK].nunique() == 1


def test_inputs_and_loss_may_be_functions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def mean(output: torch.Tensor, inputs: object) -> torch.Tensor:
        return output.mean()

    settings = {**QUICK, "method": "exact", "inputs": own_networks.pairs}
    imported = xb.memory(Fused, **settings)
    assert imported["model"][0].startswith("Fused?inputs=own_networks:pairs@")
    mean.__module__, mean.__qualname__ = "__main__", "mean"  # as in a notebook
    monkeypatch.setattr(sys.modules["__main__"], "mean", mean, raising=False)
    settings = {**settings, "loss": mean, "output": tmp_path / "run"}
    local = xb.memory(Fused, **settings)
    assert "&loss=__main__:mean@" in local["model"][0]
    assert list(local["status"]) == list(imported["status"]) == ["ok"]
    with pytest.raises(UsageError, match="perhaps of another object"):
        xb.memory(Fused, **settings)


@HERE
def test_channels_are_those_of_the_object() -> None:
    grey = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())
    assert list(xb.memory(grey, method="exact", **QUICK)["status"]) == ["ok"]
    assert list(xb.memory(lambda: grey, method="exact", **QUICK)["status"]) == ["ok"]


def test_rows_of_another_object_are_not_taken(tmp_path: Path) -> None:
    settings = {**QUICK, "method": "exact", "output": tmp_path / "run"}
    xb.memory(own_networks.normalized(), **settings)
    with pytest.raises(UsageError, match=r"has rows of Sequential.*choose another output="):
        xb.memory(nn.Sequential(nn.Conv2d(3, 4, 3)), **settings)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prbes": 8}, "prbes= is unknown: did you mean 'probes'"),
        ({"probes": "x"}, "^probes='x': expected an integer"),
        ({"probes": []}, r"probes=\[\]: expected at least one value"),
        ({"seed": [1, 2]}, "expected one value"),
        ({"repeats": 0}, "repeats=: "),
        ({"simulate": 1}, "simulate=1: expected True or False"),
        ({"simulate": True, "device": "cpu"}, "^simulate=True uses no device.*or device=$"),
        ({"model": 3}, "a model of type int is none"),
        ({"model": nn.Linear}, "Linear.*fills in the rest"),
        ({"inputs": lambda batch, size: None}, "^inputs=: .*<lambda> is no function that"),
        ({"model": Fused}, "^Fused takes image and depth: give inputs='FILE.py:callable', which"),
        ({"model": xconv.convert(own_networks.normalized())}, "is converted by xconv"),
    ],
)
def test_a_wrong_argument_is_one_clear_error(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        xb.memory(**{"model": own_networks.name("normalized"), **given})
    assert "--" not in str(caught.value) and "\n" not in str(caught.value)


@HERE
def test_a_table_is_drawn() -> None:
    from matplotlib.figure import Figure

    table = xb.memory(own_networks.name("normalized"), **QUICK)
    figure = xb.plot(table)
    assert isinstance(figure, Figure) and len(figure.axes[0].patches) >= 2
    assert figure._repr_png_().startswith(b"\x89PNG")  # a kernel without %matplotlib inline
    with pytest.raises(UsageError, match="picture='memori' is unknown: did you mean 'memory'"):
        xb.plot(table, "memori")
    with pytest.raises(UsageError, match=r"is drawn of what error\(\) returns.*there is memory"):
        xb.plot(table, "error_bytes")
    with pytest.raises(UsageError, match="no table has these columns"):
        xb.plot(table[["model"]])


def test_a_script_is_not_run_again_where_it_measures(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import sys
sys.path.insert(0, {str(Path(own_networks.__file__).parent)!r})
import own_networks
import xconv_bench as xb

class Own(own_networks.Residual):
    pass

print("pandas" in sys.modules, "torch" in sys.modules and "xconv_bench.interface" in sys.modules)
table = xb.memory(["paper/mnist", Own()], method="exact", simulate=True, cross_check=False,
                  batch_size=2, image_size=8)
print(*table["model"], *table["status"])
"""
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False False", "paper/mnist Own ok ok"]
    assert done.stderr == ""
