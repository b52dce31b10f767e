"""MONAI: its UNet and SupervisedTrainer, on tensors of its own class; checkpoints both ways."""

from pathlib import Path
from typing import Any

import pytest
import torch
from trainer_cases import QUIET, assert_equal, example, package

import xconv

pytestmark = QUIET


@pytest.fixture(scope="module")
def monai() -> Any:
    package("ignite")
    package("monai.engines")
    return package("monai")


@pytest.fixture(scope="module")
def script(monai: Any) -> dict[str, Any]:
    return example("monai_unet")


def test_the_example_runs_on_its_own_tensors(
    monai: Any, script: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = script["random_volumes"](2, 16, 1)
    assert isinstance(next(iter(data))["image"], monai.data.MetaTensor)
    network = script["main"](4, data, str(tmp_path), epochs=1)
    assert "swapped" in capsys.readouterr().out
    saved = torch.load(tmp_path / "last.pt")
    assert_equal(dict(network.state_dict()), dict(saved["network"]))
    kinds = {type(module) for module in network.modules()}
    assert {xconv.XConv3d, xconv.XConvTranspose3d} <= kinds


@pytest.mark.parametrize("converted", [0, 1], ids=["from converted", "from exact"])
def test_checkpoints_load_with_and_without_xconv(
    monai: Any, script: dict[str, Any], tmp_path: Path, converted: int
) -> None:
    """Saved and loaded by MONAI's own handlers."""
    seen: dict[str, Any] = {}

    class Look:
        def attach(self, engine: Any) -> None:
            engine.add_event_handler("EPOCH_STARTED", self)

        def __call__(self, engine: Any) -> None:
            seen["network"] = {k: v.clone() for k, v in engine.network.state_dict().items()}
            state = engine.optimizer.state_dict()["state"]
            seen["optimizer"] = {n: s["exp_avg"].clone() for n, s in state.items()}

    for number in range(2):
        network = script["make_network"](4)
        if number == converted:
            xconv.convert(network, compress="all")
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        state = {"network": network, "optimizer": optimizer}
        handlers = [
            monai.handlers.CheckpointSaver(
                str(tmp_path), state, save_final=True, final_filename=f"{number}.pt"
            ),
            Look(),
        ]
        if number == 1:
            path = str(tmp_path / "0.pt")
            loader = monai.handlers.CheckpointLoader(path, state, map_location="cpu")
            handlers.insert(0, loader)
        monai.engines.SupervisedTrainer(
            device=torch.device("cpu"),
            max_epochs=1,
            train_data_loader=script["random_volumes"](2, 16, 2),
            network=network,
            optimizer=optimizer,
            loss_function=monai.losses.DiceLoss(to_onehot_y=True, softmax=True),
            train_handlers=handlers,
        ).run()
    saved = torch.load(tmp_path / "0.pt")
    assert_equal(seen["network"], dict(saved["network"]))
    exp_avg = {n: s["exp_avg"] for n, s in saved["optimizer"]["state"].items()}
    assert_equal(seen["optimizer"], exp_avg)
    steps = {float(state["step"]) for state in optimizer.state_dict()["state"].values()}
    assert steps == {2}
