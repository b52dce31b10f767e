"""A callback that lets a Lightning project train in less memory.

    from lightning.pytorch import Trainer
    from xconv.integrations.lightning import XConv

    Trainer(callbacks=[XConv(compress="all")]).fit(model, data)

Lightning takes seconds to import: it is imported once ``XConv`` is asked for.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter

from xconv import Plan, account, convert, revert
from xconv.choices import nearest
from xconv.contents import buffers, modules, parameters
from xconv.kept import KeptMeter

PACKAGES = ("lightning.pytorch", "pytorch_lightning")
"""Lightning under its new name and its old one."""
INSTALL = "pip install lightning"


class Converting:
    """Convert the model when ``fit`` sets it up, before its optimizers are made.

    The same model is not converted again by a second ``fit``, so that what layers have learned of
    their inputs goes on; modules that the model makes later, in ``setup`` or ``configure_model``,
    are converted when ``fit`` starts. Checkpoints are those of the model as it was.

    Report what was converted and, on a GPU, the allocator's peak; on a CPU, the bytes that the
    first step keeps for its backward pass. Loggers get the metrics ``xconv/swapped``,
    ``xconv/left`` and ``xconv/peak_bytes`` or ``xconv/kept_bytes``, those of rank zero.

    Args:
        module: name of the part of the model to convert, such as ``"net"``, to which names in
            ``skip`` and in a plan then refer; all of it where empty.
        revert_after: put torch's own classes back when ``fit`` ends, however it ends.
        options: what ``xconv.convert`` takes beside the model, ``plan`` as a path too.

    Raises TypeError for an argument that is unknown, and what ``xconv.convert`` raises for values
    that it does not take: at once, but for names that are not in the model, which ``fit`` refuses.
    """

    def __init__(self, *, module: str = "", revert_after: bool = False, **options: Any) -> None:
        super().__init__()
        self.module, self.revert_after = module, revert_after
        self.options = _checked(options)
        self.account: Any = None
        """The ``xconv.account`` of the model after the first step of ``fit``; None before."""
        self.peak_bytes: int | None = None
        """The CUDA allocator's peak since training began; None elsewhere."""
        self.kept_bytes: int | None = None
        """Bytes that the first step on a CPU kept for its backward pass; None elsewhere."""
        self._converted: list[tuple[nn.Module, type]] = []
        self._meter: KeptMeter | None = None
        self._reported = False

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Convert the model, if it is there and about to be trained."""
        if stage != "fit":
            return
        try:
            self._convert(pl_module)
        except ValueError:  # a name that may appear later
            if not _is_made_later(pl_module):
                raise

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Convert what was made since."""
        self._convert(pl_module)
        self.account = self.kept_bytes = self.peak_bytes = None
        self._reported = False

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Let the allocator's peak begin here."""
        if pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(pl_module.device)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, *_: Any) -> None:
        """Begin to count what the first step keeps."""
        self._stop_counting()
        is_counted = not self._reported and pl_module.device.type == "cpu"
        if is_counted and not _is_compiled(pl_module):
            there = [*parameters(pl_module), *buffers(pl_module), *tree_iter(batch)]
            self._meter = KeptMeter(each for each in there if isinstance(each, Tensor))
            self._meter.__enter__()

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Tensor) -> None:
        """Read what is kept, before the backward pass frees it."""
        if self._meter is not None and self.kept_bytes is None:
            self.kept_bytes = self._meter.total_bytes

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Report after the first step: some layers find out only then that they keep no less."""
        self._stop_counting()
        if not self._reported:
            self._reported = True
            self.account = account(_part(pl_module, self.module))
            self._report(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Record the allocator's peak so far."""
        if pl_module.device.type == "cuda":
            self.peak_bytes = torch.cuda.max_memory_allocated(pl_module.device)
            _log(trainer, {"xconv/peak_bytes": self.peak_bytes})

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Report the allocator's peak."""
        if self.peak_bytes is not None:
            _say(f"xconv: the allocator's peak was {_mebibytes(self.peak_bytes)}")

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Revert the model, if this is asked for and ``fit`` has ended."""
        if stage == "fit":
            self._end(pl_module)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Revert after a failure of ``fit``, too, for which Lightning calls no ``teardown``."""
        self._end(pl_module)

    def _convert(self, pl_module: nn.Module) -> nn.Module:
        """Convert the model, unless it is as this callback left it; return the part converted."""
        part = _part(pl_module, self.module)
        if not _are_same(_classes(part), self._converted):
            convert(part, **self.options)
            self._converted = _classes(part)
        return part

    def _report(self, trainer: Any) -> None:
        swapped, left = len(self.account.swapped), len(self.account.left)
        reasons = Counter(entry.reason for entry in self.account.left)
        why = "".join(f"; {count} × {reason}" for reason, count in reasons.most_common())
        _say(f"xconv: {swapped} modules keep less, {left} do not{why}")
        metrics = {"xconv/swapped": swapped, "xconv/left": left}
        if self.kept_bytes is not None:
            _say(f"xconv: the first step kept {_mebibytes(self.kept_bytes)} for its backward pass")
            metrics["xconv/kept_bytes"] = self.kept_bytes
        _log(trainer, metrics)

    def _stop_counting(self) -> None:
        if self._meter is not None:
            self._meter.__exit__(None, None, None)
            self._meter = None

    def _end(self, pl_module: nn.Module) -> None:
        self._stop_counting()
        if self.revert_after and self._converted:
            revert(_part(pl_module, self.module))
            self._converted = []


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    """Return ``options`` of ``convert`` with the plan read.

    Raises what ``convert`` would raise whatever the model; names are looked for in it later.
    """
    _check_names(options)
    if options.get("plan") is None:
        convert(nn.Identity(), **{key: v for key, v in options.items() if key != "skip"})
        return options
    plan = options["plan"]
    options = {**options, "plan": plan if isinstance(plan, Plan) else Plan.read(plan)}
    convert(nn.Identity(), **{**options, "plan": Plan()})
    return options


def _check_names(options: Mapping[str, Any]) -> None:
    _, *known = inspect.signature(convert).parameters
    known += ["module", "revert_after"]
    for name in options:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}=?" if near else f"it takes {', '.join(known)}"
            raise TypeError(f"XConv has no argument {name}=: {hint}")


def _part(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise ValueError(f"module={name!r}, but the model has no module of that name") from None


def _classes(model: nn.Module) -> list[tuple[nn.Module, type]]:
    return [(module, type(module)) for module in modules(model)]


def _are_same(some: list[tuple[nn.Module, type]], others: list[tuple[nn.Module, type]]) -> bool:
    """Return whether both hold the same objects, whatever equality means to these."""
    return [tuple(map(id, each)) for each in some] == [tuple(map(id, each)) for each in others]


def _is_made_later(pl_module: Any) -> bool:
    """Return whether the model has a hook of its own that may make modules after our ``setup``."""
    hooks = (getattr(pl_module, name) for name in ("setup", "configure_model"))
    return not all(hook.__module__.startswith(PACKAGES) for hook in hooks)


def _is_compiled(pl_module: Any) -> bool:
    """Return whether any part is compiled; hooks on saved tensors would disturb a compiler."""
    return bool(getattr(pl_module, "_compiler_ctx", None)) or any(
        "_orig_mod" in module._modules or module._compiled_call_impl is not None
        for module in modules(pl_module)
    )


def _say(text: str) -> None:
    from lightning_utilities.core.rank_zero import rank_zero_info

    rank_zero_info(text)


def _log(trainer: Any, metrics: Mapping[str, float]) -> None:
    for logger in trainer.loggers:
        logger.log_metrics(metrics, step=trainer.global_step)


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"


def _bases() -> tuple[type, ...]:
    """Return ``Callback`` of the package that is in use, of both if both are.

    Raises ImportError where neither can be imported.
    """
    loaded = [module for package in PACKAGES if (module := sys.modules.get(package))]
    if loaded:
        return tuple(module.Callback for module in loaded)
    for package in PACKAGES:
        try:
            return (import_module(package).Callback,)
        except ModuleNotFoundError as error:
            if not error.name or not package.startswith(error.name):
                raise
    raise ImportError(f"xconv.integrations.lightning needs Lightning: {INSTALL}")


if TYPE_CHECKING:
    from lightning.pytorch import Callback

    class XConv(Converting, Callback):
        """Be ``Converting`` as a callback of Lightning."""

else:

    def __getattr__(name: str) -> Any:
        """Make ``XConv`` when it is first asked for."""
        if name != "XConv":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        members = {"__module__": __name__, "__doc__": Converting.__doc__}
        made = globals()[name] = type(name, (Converting, *_bases()), members)
        return made
