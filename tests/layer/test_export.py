"""An exported program runs forward: it holds torch's operators and none of ours."""

import pytest
import torch
from layer_cases import images, small_network
from torch import nn

from xconv import convert
from xconv.differentiation import is_exporting

knows_exporting = pytest.mark.skipif(
    not hasattr(torch.compiler, "is_exporting"), reason="torch does not tell that it exports"
)


def network() -> nn.Module:
    model = small_network()
    model.add_module("8", nn.Unflatten(1, (5, 1, 1)))
    model.add_module("9", nn.ConvTranspose2d(5, 2, 3, padding=1, output_padding=0))
    model.add_module("10", nn.Conv2d(2, 2, 1, padding_mode="circular", padding=1))
    return convert(model).eval()


def operators(program: torch.export.ExportedProgram) -> set[str]:
    return {str(n.target) for n in program.graph.nodes if n.op == "call_function"}


@pytest.mark.parametrize("strict", [False, True], ids=["traced", "strict"])
@pytest.mark.parametrize(
    "grad", [pytest.param(True, marks=knows_exporting), False], ids=["grad", "no_grad"]
)
def test_an_evaluating_model_exports(strict: bool, grad: bool) -> None:
    model = network()
    with torch.set_grad_enabled(grad):
        program = torch.export.export(model, (images(),), strict=strict)
    assert not any("xconv" in name for name in operators(program))
    assert any("conv2d" in name for name in operators(program))
    torch.testing.assert_close(program.module()(images()), model(images()))


def test_exporting_changes_nothing_of_the_model() -> None:
    model = network()
    held = [dict(vars(module)) for module in model.modules()]
    with torch.no_grad():
        torch.export.export(model, (images(),))
    assert [dict(vars(module)) for module in model.modules()] == held
    assert not is_exporting()
