"""Plans: written and read, applied to the modules that they name, refused where they are wrong."""

from pathlib import Path

import pytest
import torch
from torch import nn

import xconv
from xconv import Plan
from xconv.plan import Setting
from xconv.state import state_of

PLAN = Plan(
    {
        "0": Setting(scheme="spectral", bits=0.25),
        "1": Setting(norm_bits=2),
        "2": Setting(swapped=True),
        'odd "name"\n': Setting(act_bits=8),
        "é": Setting(scheme="independent", probes=16),
        "s": Setting(scheme="sampling", keep=0.5),
    },
    ("relu", "pool"),
    4,
)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(4 * 64, 5),
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    PLAN.write(path)
    assert Plan.read(path) == PLAN and Plan.parse(Plan().text) == Plan()


@pytest.mark.parametrize("given", ["plan", "path"])
def test_modules_are_set_as_named_and_all_others_exact(given: str, tmp_path: Path) -> None:
    plan = Plan(
        {
            "3": Setting(scheme="quantized", bits=4),
            "1": Setting(norm_bits=1),
            "4": Setting(act_bits=8),
        }
    )
    plan.write(tmp_path / "plan.toml")
    model = xconv.convert(network(), plan=plan if given == "plan" else tmp_path / "plan.toml")
    kinds = [type(module) for module in model]
    assert [kinds[i] for i in (0, 2, 5, 6)] == [nn.Conv2d, nn.ReLU, nn.Flatten, nn.Linear]
    assert isinstance(model[3], xconv.XConv2d) and state_of(model[3]).probing.bits == 4
    assert state_of(model[1]).norm_bits == 1 and state_of(model[4]).bits == 8
    assert [type(m) for m in xconv.revert(model)] == [type(m) for m in network()]


def test_an_earlier_conversion_leaves_nothing() -> None:
    model = xconv.convert(xconv.convert(network(), compress="all"), plan=Plan())
    assert [type(module) for module in model] == [type(module) for module in network()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layers = [", "Invalid value"),
        ("color = 1", "'color' is unknown; choose from layers, functions, function_bits"),
        ('functions = ["fly"]', "functions: 'fly' is unknown"),
        ("function_bits = 3", "act_bits must be 4 or 8; got 3"),
        ("functions = 3", "expected functions = "),
        ("[layers]\nx = 3", 'layers."x": expected keys such as bits = 0.5; got 3'),
        ("[layers.x]\ncolor = 1", "layers.\"x\": 'color' is unknown"),
        ("[layers.x]", 'layers."x": expected one of scheme, norm_bits, act_bits and swapped'),
        ("[layers.x]\nnorm_bits = 3", 'layers."x": norm_bits must be one of 1, 2, 4, 8; got 3'),
        ("[layers.x]\nact_bits = 3", 'layers."x": act_bits must be 4 or 8; got 3'),
        ('[layers.x]\nscheme = "magic"', "layers.\"x\": unknown scheme 'magic'"),
        ('[layers.x]\nscheme = "spectral"\nbits = 9', 'layers."x": bits of spectral must be'),
        ('[layers.x]\nscheme = "spectral"\nkeep = 0.1', "takes bits, not keep"),
        ("[layers.x]\nbits = 2\nnorm_bits = 2", "bits belongs to a scheme"),
        ('[layers.x]\nscheme = "spectral"\nnorm_bits = 2', "got scheme and norm_bits"),
        ("[layers.x]\nswapped = false", "expected one of"),
        ('[layers.x]\nswapped = "no"', "swapped must be true; got 'no'"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(ValueError, match=r"p\.toml is no plan: ") as refused:
        Plan.read(tmp_path / "p.toml")
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_file_that_is_no_text_is_no_plan(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_bytes(b"\xae")
    with pytest.raises(ValueError, match=r"p\.toml is no plan: it is no text in UTF-8$"):
        Plan.read(tmp_path / "p.toml")


@pytest.mark.parametrize(
    ("name", "setting", "said"),
    [
        ("9", Setting(norm_bits=2), "the plan names '9', but the model has no such module"),
        ("5", Setting(swapped=True), "'5': Flatten belongs to none of conv, relu"),
        ("0", Setting(norm_bits=2), "'0': a module of the family 'conv' takes scheme"),
        ("1", Setting(act_bits=4), "'1': a module of the family 'norm' takes norm_bits"),
        ("2", Setting(act_bits=4), "'2': a module of the family 'relu' takes swapped"),
        ("6", Setting(scheme="spectral"), "'6': a linear layer takes scheme 'quantized'"),
    ],
)
def test_a_plan_for_another_model_is_refused(name: str, setting: Setting, said: str) -> None:
    model = xconv.convert(network())
    before = [type(module) for module in model]
    with pytest.raises(ValueError) as refused:
        xconv.convert(model, plan=Plan({"3": Setting(scheme="spectral"), name: setting}))
    assert said in str(refused.value)
    assert [type(module) for module in model] == before


def test_a_plan_says_all() -> None:
    with pytest.raises(ValueError, match="a plan says what is kept: leave out bits; got 1"):
        xconv.convert(network(), plan=Plan(), bits=1)


@pytest.mark.parametrize(
    ("path", "error", "reason"),
    [("nowhere.toml", FileNotFoundError, "No such file"), (".", IsADirectoryError, "directory")],
)
def test_a_plan_that_cannot_be_read(path: str, error: type[OSError], reason: str) -> None:
    with pytest.raises(error) as refused:
        xconv.convert(network(), plan=path)
    said = str(refused.value)
    assert said.startswith(f"{path} cannot be read as a plan: ") and reason in said
    assert said.endswith("give a TOML file that Plan.write or xconv-bench advise wrote")
