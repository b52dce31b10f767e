"""Functions that a network calls and that keep something are noticed, and others are not."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from own_networks import name
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.measurement import counting
from xconv_bench.measurement.counting import count
from xconv_bench.measurement.function_remark import remark_on_functions
from xconv_bench.measurement.simulated import simulate
from xconv_bench.measurement.training import Training
from xconv_bench.methods import find_method

CELL = Configuration(
    name("detector"), "xconv", "multi", 2, "rademacher", "conv", batch_size=2, image_size=16
)


class Calling(nn.Module):
    """Functions of its own, modules of torch's, and what is computed again."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(4))
        self.modules_of_torch = nn.Sequential(nn.SiLU(), nn.AvgPool2d(2), nn.Dropout())

    def forward(self, image: Tensor) -> Tensor:
        image = F.relu(self.convs[0](image), inplace=True)
        image = self.modules_of_torch(self.convs[1](image))
        image = F.max_pool2d(self.convs[2](image), 2)
        image = checkpoint(lambda x: torch.tanh(x), self.convs[3](image), use_reentrant=False)
        with torch.no_grad():
            F.elu(image)
        return F.dropout(image, 0.5, training=False)


@pytest.fixture(autouse=True)
def nothing_was_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "has_compiled", lambda: False)  # as in a process of its own


@pytest.mark.parametrize("method", ["exact", "xconv"])
def test_only_calls_of_the_network_that_keep_something(method: str) -> None:
    model = find_method(method).apply(Calling(), replace(CELL, method=method))
    batch = torch.randn(2, 3, 8, 8)
    training = Training(model, batch, lambda model, image: F.gelu(model(image)).sum())
    assert count(training).functions == {"relu": "relu", "max_pool2d": "pool"}


def test_the_remark_names_what_is_missing() -> None:
    found = {"relu": "relu", "max_pool2d": "pool", "gelu": "act"}
    said = [
        "relu, max_pool2d and gelu are called as functions, so what they keep stays exact: add "
        "pool,act,functions to --compress, or take --compress all",
        "relu is called as a function, so what it keeps stays exact: add relu,functions to "
        "--compress, or take --compress all",
    ]
    assert remark_on_functions(found, replace(CELL, compress="conv,relu")) == said[0]
    assert remark_on_functions({"relu": "relu"}, CELL) == said[1]
    assert remark_on_functions({}, CELL) == ""
    assert remark_on_functions(found, replace(CELL, compress="relu,functions")) == ""
    assert remark_on_functions(found, CELL.as_exact()) == ""


def test_the_row_of_a_simulation_says_so() -> None:
    cell = replace(CELL, device=SIMULATED)
    assert "; relu is called as a function" in simulate(cell)["message"]
    taken = simulate(replace(cell, compress="conv,relu,functions"))
    assert "is called as" not in taken["message"]
    assert taken["saved_bytes"] < simulate(cell)["saved_bytes"]
