"""The Lightning callback: when it converts, what it reports, and how the model is left."""

import csv
import logging
import pickle
import sys
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from torch import nn
from trainer_cases import QUIET, assert_equal, example, package

import xconv
from xconv.integrations import lightning as integration

pytestmark = QUIET


@pytest.fixture(scope="module", autouse=True)
def lightning() -> Any:
    return package("lightning.pytorch")


@pytest.fixture(scope="module")
def script(lightning: Any) -> dict[str, Any]:
    return example("lightning_trainer")


@pytest.fixture
def model(script: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    return script["Classifier"](width=8)


@pytest.fixture
def fit(lightning: Any, script: dict[str, Any], tmp_path: Path) -> Any:
    """Trains a model for a step, or for as many as are asked for, and returns the trainer."""

    def run(model: Any, *callbacks: Any, steps: int = 1, trainer: Any = None, **named: Any) -> Any:
        ckpt_path = named.pop("ckpt_path", None)
        trainer = trainer or lightning.Trainer
        quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary"), False)
        made = trainer(
            **{"logger": False, "enable_checkpointing": False, **quiet, **named},
            accelerator="cpu", devices=1, max_steps=steps, default_root_dir=tmp_path,
            callbacks=list(callbacks),
        )  # fmt: skip
        torch.manual_seed(1)
        made.fit(model, script["random_images"](8, 16, 4), ckpt_path=ckpt_path)
        return made

    return run


def is_converted(model: nn.Module) -> bool:
    return isinstance(model.net[3], xconv.XConv2d)


def hooks_on_saved_tensors() -> Any:
    return torch._C._autograd._top_saved_tensors_default_hooks(False)


def test_the_example_runs(
    script: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script["main"](8, script["random_images"](8, 16, 4), str(tmp_path))
    assert "swapped" in capsys.readouterr().out
    script["Classifier"].load_from_checkpoint(tmp_path / "last.ckpt", width=8)


def test_converts_before_the_optimizer_is_made(model: Any, fit: Any) -> None:
    seen = []
    made = type(model).configure_optimizers

    def configure_optimizers(self: Any) -> Any:
        seen.append(is_converted(self))
        return made(self)

    with mock.patch.object(type(model), "configure_optimizers", configure_optimizers):
        fit(model, integration.XConv())
    assert seen == [True]


def test_reports_what_is_kept(
    model: Any, fit: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from lightning.pytorch.loggers import CSVLogger

    exact = integration.XConv(compress=[])
    fit(model, exact)
    callback, logger = integration.XConv(compress="all"), CSVLogger(tmp_path)
    with caplog.at_level(logging.INFO):
        fit(model, callback, logger=logger)
    # torch keeps the outputs of convolutions and norms, 4 of (4, 8, 16, 16), and little besides.
    assert 4 * 32 * 1024 < exact.kept_bytes < 5 * 32 * 1024
    assert callback.kept_bytes < exact.kept_bytes / 3
    assert callback.peak_bytes is None
    entries = {entry.name: entry for entry in callback.account}
    assert entries["net.3"].swapped and "is the batch" in entries["net.0"].reason
    swapped, left = len(callback.account.swapped), len(callback.account.left)
    words = [record.getMessage() for record in caplog.records]
    assert any(f"xconv: {swapped} modules keep less, {left} do not; 1 × " in each for each in words)
    assert any("MiB for its backward pass" in each for each in words)
    (file,) = tmp_path.rglob("metrics.csv")
    with file.open() as lines:
        (row,) = (row for row in csv.DictReader(lines) if row["xconv/swapped"])
    logged = [int(float(row[f"xconv/{name}"])) for name in ("swapped", "left", "kept_bytes")]
    assert logged == [swapped, left, callback.kept_bytes]


def test_changes_no_gradient_while_it_counts(model: Any, fit: Any) -> None:
    start = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model)
    plain = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(start)
    fit(model, integration.XConv(compress=["relu"]))
    assert_equal(dict(model.state_dict()), plain)


def test_reports_the_peak_of_a_gpu(model: Any, fit: Any) -> None:
    callback = integration.XConv()
    with (
        mock.patch.object(type(model), "device", torch.device("cuda", 0)),
        mock.patch("torch.cuda.reset_peak_memory_stats") as reset,
        mock.patch("torch.cuda.max_memory_allocated", return_value=3 * 2**20) as peak,
    ):
        logger = mock.Mock()
        trainer = SimpleNamespace(loggers=[logger], global_step=7)
        callback.on_train_start(trainer, model)
        callback.on_train_batch_start(trainer, model, None, 0)
        callback.on_train_epoch_end(trainer, model)
    reset.assert_called_once_with(torch.device("cuda", 0))
    peak.assert_called_once_with(torch.device("cuda", 0))
    logger.log_metrics.assert_called_once_with({"xconv/peak_bytes": 3 * 2**20}, step=7)
    assert callback.peak_bytes == 3 * 2**20 and hooks_on_saved_tensors() is None


def test_a_second_fit_and_a_test_leave_layers_as_they_are(
    model: Any, fit: Any, script: dict[str, Any]
) -> None:
    callback = integration.XConv()
    trainer = fit(model, callback)
    layers = [(module, type(module), vars(module).get("_xconv")) for module in model.modules()]
    model.validation_step = model.training_step
    trainer.validate(model, script["random_images"](4, 16, 4), verbose=False)
    fit(model, callback)
    again = [(module, type(module), vars(module).get("_xconv")) for module in model.modules()]
    for before, after in zip(layers, again, strict=True):
        assert all(one is other for one, other in zip(before, after, strict=True))


def test_a_model_that_was_reverted_is_converted_again(model: Any, fit: Any) -> None:
    callback = integration.XConv()
    fit(model, callback)
    xconv.revert(model)
    fit(model, callback)
    assert is_converted(model)


def test_nothing_is_converted_where_nothing_is_trained(
    model: Any, lightning: Any, script: dict[str, Any], fit: Any
) -> None:
    trainer = fit(script["Classifier"](4), integration.XConv())
    trainer.predict(model, script["random_images"](4, 16, 4).dataset.tensors[0][None])
    assert not is_converted(model)


@pytest.mark.parametrize("revert_after", [False, True])
def test_reverts_on_request(model: Any, fit: Any, revert_after: bool) -> None:
    classes = [type(module) for module in model.modules()]
    fit(model, integration.XConv(compress="all", revert_after=revert_after))
    assert is_converted(model) is not revert_after
    assert ([type(module) for module in model.modules()] == classes) is revert_after
    assert hooks_on_saved_tensors() is None


@pytest.mark.parametrize("place", ["training_step", "on_train_batch_end", "configure_optimizers"])
def test_reverts_after_a_failure_too(model: Any, fit: Any, place: str) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with mock.patch.object(type(model), place, fail), pytest.raises(ZeroDivisionError):
        fit(model, integration.XConv(revert_after=True))
    assert not is_converted(model)
    assert not any("_xconv" in vars(module) for module in model.modules())
    assert hooks_on_saved_tensors() is None


def test_modules_that_the_model_makes_later(script: dict[str, Any], fit: Any) -> None:
    class Later(script["Classifier"]):  # type: ignore[name-defined, misc]
        def configure_model(self) -> None:
            self.net.append(nn.Sequential(nn.Linear(10, 10)))
            self.net.insert(3, nn.Conv2d(8, 8, 3))

    model = Later(8)
    fit(model, integration.XConv(skip="net.10"))
    assert is_converted(model)


def test_a_part_of_the_model(model: Any, fit: Any, tmp_path: Path) -> None:
    """Names in the plan are those of the part, as ``xconv-bench advise`` writes them."""
    plan = tmp_path / "plan.toml"
    plan.write_text('[layers."3"]\nscheme = "quantized"\nbits = 4\n')
    callback = integration.XConv(module="net", plan=plan)
    fit(model, callback)
    assert [entry.name for entry in callback.account.swapped] == ["3"]
    with pytest.raises(ValueError, match="module='head', but the model has no module of that name"):
        fit(model, integration.XConv(module="head"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"compres": "all"}, TypeError, r"^XConv has no argument compres=: did you mean compress="),
        ({"modul": "net"}, TypeError, r"^XConv .* did you mean module="),
        ({"bits": -1}, ValueError, "bits"),
        ({"compress": "everything"}, ValueError, "everything"),
        ({"plan": "missing.toml"}, OSError, "missing.toml"),
        ({"plan": xconv.Plan(), "bits": 1}, ValueError, "a plan says what is kept"),
    ],
    ids=["argument", "own argument", "value", "word", "file", "beside"],
)
def test_mistakes_are_refused_when_it_is_made(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        integration.XConv(**options)


def test_a_name_that_the_model_lacks_is_refused(model: Any, fit: Any) -> None:
    with pytest.raises(ValueError, match="skip names 'head'"):
        fit(model, integration.XConv(skip="head"))


@pytest.mark.parametrize("is_first", [True, False], ids=["from converted", "from exact"])
def test_checkpoints_load_with_and_without_the_callback(
    lightning: Any, script: dict[str, Any], fit: Any, tmp_path: Path, is_first: bool
) -> None:
    """Keys, parameters and the optimizer's state, to the last bit; and training goes on."""
    ours = [integration.XConv(compress="all")]
    callbacks = [ours, []] if is_first else [[], ours]
    path, found = tmp_path / "model.ckpt", {}

    class Look(lightning.Callback):  # type: ignore[name-defined, misc]
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            states = [optimizer.state_dict() for optimizer in trainer.optimizers]
            weights = pl_module.state_dict()
            found.update(deepcopy({"state_dict": weights, "optimizer_states": states}))

    fit(script["Classifier"](8), *callbacks[0], steps=2).save_checkpoint(path)
    saved = torch.load(path, weights_only=False)
    assert saved["optimizer_states"][0]["state"]
    resumed = script["Classifier"](8)
    trainer = fit(resumed, *callbacks[1], Look(), steps=3, ckpt_path=path)
    assert trainer.global_step == 3 and is_converted(resumed) is not is_first
    assert_equal(found, {name: saved[name] for name in found})


def test_the_old_name_of_the_package_works_too(
    fit: Any, script: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Make the callback one of both packages where both are in use."""
    old = package("pytorch_lightning")
    monkeypatch.delitem(vars(integration), "XConv", raising=False)
    own = {name: vars(script["Classifier"])[name] for name in ("training_step", "forward")}
    model = type("Classifier", (old.LightningModule,), own)()
    model.net = script["Classifier"](8).net
    model.configure_optimizers = lambda: torch.optim.SGD(model.parameters(), lr=0.1)
    callback = integration.XConv()
    fit(model, callback, trainer=old.Trainer)
    assert isinstance(callback, old.Callback) and is_converted(model)
    assert callback.account.swapped


def test_without_lightning_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(vars(integration), "XConv", raising=False)
    with pytest.raises(ImportError) as caught:
        from xconv.integrations.lightning import XConv  # noqa: F401
    says = "xconv.integrations.lightning needs Lightning: pip install lightning"
    assert str(caught.value) == says


def test_it_can_be_pickled(lightning: Any) -> None:
    """Spawned processes receive it in this way."""
    callback = pickle.loads(pickle.dumps(integration.XConv(bits=1)))
    assert isinstance(callback, lightning.Callback) and callback.options == {"bits": 1}
