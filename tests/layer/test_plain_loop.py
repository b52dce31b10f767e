"""A loop of one's own: the script of ``examples/`` runs, and checkpoints load both ways."""

from pathlib import Path
from typing import Any

import pytest
import torch
from trainer_cases import assert_equal, example

import xconv


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return example("plain_loop")


def test_the_example_runs(
    script: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    script["main"](pixels=8, batch=4, steps=2, file=str(tmp_path / "network.pt"))
    assert "swapped" in capsys.readouterr().out
    network = script["make_network"]()
    optimizer = torch.optim.AdamW(network.parameters())
    saved = torch.load(tmp_path / "network.pt")
    network.load_state_dict(saved["network"])
    optimizer.load_state_dict(saved["optimizer"])
    assert_equal(dict(network.state_dict()), dict(saved["network"]))


@pytest.mark.parametrize("converted", [0, 1], ids=["from converted", "from exact"])
def test_checkpoints_load_with_and_without_xconv(script: dict[str, Any], converted: int) -> None:
    batches = [(torch.randn(4, 3, 8, 8), torch.randint(10, (4,)))]
    saved: dict[str, Any] = {}
    for number in range(2):
        network = script["make_network"](8)
        if number == converted:
            xconv.convert(network, compress="all")
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        if saved:
            network.load_state_dict(saved["network"])
            optimizer.load_state_dict(saved["optimizer"])
            assert_equal(dict(network.state_dict()), dict(saved["network"]))
            assert_equal(optimizer.state_dict(), saved["optimizer"])
        script["train"](network, optimizer, batches)
        saved = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
    assert {float(state["step"]) for state in saved["optimizer"]["state"].values()} == {2}
