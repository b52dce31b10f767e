"""The options that several commands share, given to a command as one argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any, Self, get_args, get_type_hints

import typer

from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment
from xconv_bench.configuration import Configuration, GradientConfiguration
from xconv_bench.knobs import KNOBS

Command = Callable[..., Experiment]
Words = list[str] | None

_ASKED = "asked"
_KNOBS = "knobs"
_THINGS = "things"


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """The options of every sweep, as given; ``asked`` names those that the user typed.

    ``knobs`` holds the words given to each knob, by its name; ``things`` the networks that a caller
    from Python has as objects, by the names that stand for them.
    """

    model: options.Models = field(default_factory=lambda: [options.CIFAR])
    batch_size: options.BatchSizes = field(default_factory=lambda: [str(Configuration.batch_size)])
    image_size: options.ImageSizes = None
    frames: options.Frames = None
    inputs: options.Inputs = None
    loss: options.Loss = None
    dtype: options.Dtypes = field(default_factory=lambda: [Configuration.dtype])
    seed: options.Seed = Configuration.seed
    method: options.Methods = field(default_factory=lambda: ["exact", "xconv"])
    knobs: Mapping[str, Words] = field(default_factory=dict)
    device: options.Devices = None
    cross_check: options.CrossCheck = True
    timeout: options.Timeout = 1800.0
    jobs: options.Jobs = None
    launcher: options.Launcher = None
    address: options.Address = None
    output: options.Output = None
    asked: frozenset[str] = frozenset()
    things: Mapping[str, Any] = field(default_factory=dict)

    def with_knobs(self, **words: list[str]) -> Self:
        """Return the same with other ``words`` for these knobs, as if the user had typed them."""
        return replace(self, knobs={**self.knobs, **words}, asked=self.asked | set(words))


@dataclass(frozen=True, kw_only=True)
class GradientOptions(SweepOptions):
    """The options of every comparison of gradients, as given."""

    data: options.Data = None
    data_dir: options.DataDir = None
    download: options.Download = False
    samples: options.Samples = None
    weights: options.Weights = GradientConfiguration.weights
    warmup_steps: options.WarmupSteps = GradientConfiguration.warmup_steps
    layer: options.Layers = None
    timeout: options.Timeout = 7200.0


def taking(
    kind: type[SweepOptions], without: tuple[str, ...] = (), **defaults: Any
) -> Callable[[Command], Command]:
    """Turn a command's first parameter, of ``kind``, into the options that ``kind`` lists.

    Every knob is an option, too. ``defaults`` are those that differ for this command; ``...`` makes
    an option required. Options named in ``without`` are not offered and keep their usual default.
    """

    def decorate(command: Command) -> Command:
        shared = _shared_options(kind, without, defaults)
        _, *own = inspect.signature(command, eval_str=True).parameters.values()

        def called(context: typer.Context, **given: Any) -> Experiment:
            chosen = {each.name: given.pop(each.name) for each in shared}
            asked = frozenset(name for name in chosen if _is_asked(context, name))
            knobs = {name: chosen.pop(name) for name in KNOBS if name in chosen}
            things = context.obj or {}
            return command(kind(**chosen, knobs=knobs, asked=asked, things=things), **given)

        context = inspect.Parameter(
            "context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context
        )
        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        taken = sorted([*own, *shared], key=_place)
        called.__name__ = command.__name__
        called.__doc__ = f"{inspect.getdoc(command)}\n\n{options.SEVERAL}"
        called.__signature__ = inspect.Signature([context, *taken])  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in [context, *taken]}
        return called

    return decorate


def _shared_options(
    kind: type[SweepOptions], without: tuple[str, ...], defaults: Mapping[str, Any]
) -> list[inspect.Parameter]:
    """Return a parameter for each shared option that a command takes."""
    hints = get_type_hints(kind, include_extras=True)
    own = {each.name: (hints[each.name], _default(each)) for each in fields(kind)}
    del own[_ASKED], own[_KNOBS], own[_THINGS]
    knobs = {name: (options.option_of(knob), knob.typed_default) for name, knob in KNOBS.items()}
    return [
        _parameter(name, hint, defaults.get(name, default))
        for name, (hint, default) in {**own, **knobs}.items()
        if name not in without
    ]


def _is_asked(context: typer.Context, name: str) -> bool:
    """Return whether an option stood on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _place(parameter: inspect.Parameter) -> int:
    """Return the place of an option in the help: without a group first, then group by group."""
    _, option = get_args(parameter.annotation)
    group = option.rich_help_panel
    return options.GROUPS.index(group) if group in options.GROUPS else -1


def _parameter(name: str, hint: Any, default: Any) -> inspect.Parameter:
    if default is ...:
        default = inspect.Parameter.empty
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
