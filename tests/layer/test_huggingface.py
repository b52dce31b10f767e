"""Hugging Face's Trainer and accelerate: scripts of ``examples/``, two processes, checkpoints."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from trainer_cases import QUIET, assert_equal, example, package

import xconv

pytestmark = QUIET

RANKS = 2


@pytest.fixture(scope="module", autouse=True)
def transformers() -> Any:
    package("accelerate")
    return package("transformers")


@pytest.fixture(scope="module")
def script(transformers: Any) -> dict[str, Any]:
    return example("huggingface_trainer")


@pytest.fixture(scope="module")
def loop(transformers: Any) -> dict[str, Any]:
    return example("accelerate_loop")


TINY = {
    "per_device_train_batch_size": 4,
    "save_steps": 1,
    "disable_tqdm": True,
    "logging_strategy": "no",
}


def test_what_the_trainer_saves_is_the_model_as_it_was(
    transformers: Any, script: dict[str, Any], tmp_path: Path
) -> None:
    data = script["RandomImages"](8, 16)
    trainer = script["main"](8, data, output_dir=str(tmp_path), max_steps=2, **TINY)
    assert trainer.accelerator.mixed_precision == "bf16"
    assert any(isinstance(module, xconv.XConv2d) for module in trainer.model.modules())
    config = json.loads((tmp_path / "checkpoint-1" / "config.json").read_text())
    assert config["architectures"] == ["ResNetForImageClassification"]
    for kind in ("ResNetForImageClassification", "AutoModelForImageClassification"):
        loaded = getattr(transformers, kind).from_pretrained(tmp_path)
        assert_equal(dict(loaded.state_dict()), dict(trainer.model.state_dict()))


@pytest.mark.parametrize("converted", [0, 1], ids=["from converted", "from exact"])
def test_the_trainer_resumes_with_and_without_xconv(
    transformers: Any, script: dict[str, Any], tmp_path: Path, converted: int
) -> None:
    seen: dict[str, Any] = {}

    class Look(transformers.TrainerCallback):  # type: ignore[name-defined, misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            if state.global_step == 1 and not seen:
                seen["network"] = {k: v.clone() for k, v in given["model"].state_dict().items()}
                state = given["optimizer"].state_dict()["state"]
                seen["optimizer"] = {n: s["exp_avg"].clone() for n, s in state.items()}

    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=2, use_cpu=True, report_to="none", bf16=True, **TINY
    )
    data, first = script["RandomImages"](8, 16), tmp_path / "checkpoint-1"
    for number in range(2):
        model = script["make_model"](8)
        if number == converted:
            xconv.convert(model.base_model, compress="all")
        trainer = transformers.Trainer(model=model, args=arguments, train_dataset=data)
        if number == 1:
            trainer.add_callback(Look())
            trainer.train(resume_from_checkpoint=str(first))
        else:
            trainer.train()
            saved = torch.load(first / "optimizer.pt", weights_only=True)
            weights = transformers.ResNetForImageClassification.from_pretrained(first)
    assert_equal(seen["network"], dict(weights.state_dict()))
    assert_equal(seen["optimizer"], {n: s["exp_avg"] for n, s in saved["state"].items()})
    assert trainer.state.global_step == 2


WORKER = """
import sys
from trainer_cases import example, package
package("transformers")
script = example("huggingface_trainer")
trainer = script["main"](
    8, script["RandomImages"](16, 16), output_dir=sys.argv[1], max_steps=2, save_steps=2,
    per_device_train_batch_size=4, disable_tqdm=True, ddp_backend="gloo", use_cpu=True,
)
loop = example("accelerate_loop")
network = loop["main"](8, loop["random_images"](16, 32, 4), sys.argv[1] + "/state", cpu=True)
import os, torch
torch.save(
    {
        "loop": dict(network.named_parameters()),
        "kind": type(trainer.model_wrapped).__name__,
        "precision": trainer.accelerator.mixed_precision,
        "swapped": sum("XConv" in type(m).__name__ for m in trainer.model.modules()),
        "weights": dict(trainer.model.named_parameters()),
    },
    sys.argv[1] + "/rank" + os.environ["RANK"] + ".pt",
)
torch.distributed.barrier()
os._exit(0)
"""


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="torch was built without gloo",
)
def test_two_processes_in_mixed_precision_hold_the_same_weights(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(RANKS)}
    interface = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    paths = os.pathsep.join(
        [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "support")]
    )
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path)],
            env={
                **os.environ, **place, **interface, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1",
                "RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(RANKS),
            },
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(RANKS)
    ]  # fmt: skip
    try:
        errors = [rank.communicate(timeout=120)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0] * RANKS, errors
    one, other = (torch.load(tmp_path / f"rank{n}.pt", weights_only=False) for n in range(RANKS))
    assert (one["kind"], one["precision"]) == ("DistributedDataParallel", "bf16")
    assert one["swapped"] > 0
    assert_equal(other["weights"], one["weights"])
    assert_equal(other["loop"], one["loop"])


@pytest.mark.parametrize("converted", [0, 1], ids=["from converted", "from exact"])
def test_accelerate_loads_with_and_without_xconv(
    loop: dict[str, Any], tmp_path: Path, converted: int
) -> None:
    from accelerate import Accelerator

    data = loop["random_images"](8, 32, 4)
    saved: dict[str, Any] = {}
    for number in range(2):
        accelerator = Accelerator(mixed_precision="bf16", cpu=True)
        network = loop["make_network"](8)
        if number == converted:
            xconv.convert(network.base_model, compress="all")
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        network, optimizer = accelerator.prepare(network, optimizer)
        if number == 1:
            accelerator.load_state(str(tmp_path))
            assert_equal(dict(network.state_dict()), saved["network"])
            assert_equal(optimizer.state_dict(), saved["optimizer"])
        for images, labels in data:
            accelerator.backward(network(pixel_values=images, labels=labels).loss)
            optimizer.step()
            optimizer.zero_grad()
        if number == 0:
            accelerator.save_state(str(tmp_path))
            saved = {"network": dict(network.state_dict()), "optimizer": optimizer.state_dict()}
    steps = {float(state["step"]) for state in optimizer.state_dict()["state"].values()}
    assert steps == {4}


def test_the_example_of_accelerate_runs(
    loop: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = loop["main"](8, loop["random_images"](8, 32, 4), str(tmp_path), cpu=True)
    assert "swapped" in capsys.readouterr().out
    assert any(isinstance(module, xconv.XConv2d) for module in network.modules())
    assert (tmp_path / "model.safetensors").is_file()
