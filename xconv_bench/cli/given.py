"""Options that several commands share, given to a command as one argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, get_type_hints

import typer

from xconv_bench.cli import options, plan_options
from xconv_bench.cli.experiment import Experiment

Command = Callable[..., Experiment]

_ASKED = "asked"


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """What every sweep takes, as it was given; ``asked`` names what the user gave."""

    model: options.Models = field(default_factory=lambda: [options.CIFAR])
    method: options.Methods = field(default_factory=lambda: ["exact", "xconv"])
    scheme: options.Schemes = field(default_factory=lambda: ["independent,spectral"])
    probes: options.Probes = field(default_factory=lambda: ["8"])
    distribution: options.Distributions = field(default_factory=lambda: ["rademacher"])
    compress: options.Compress = field(default_factory=lambda: ["conv,relu"])
    first: options.First = field(default_factory=lambda: ["exact"])
    allot: options.Allot = None
    segments: options.Segments = None
    keep: options.Keep = field(default_factory=lambda: ["0.1"])
    bits: options.Bits = None
    budget: options.ActivationBudgets = field(default_factory=lambda: ["0.5"])
    norm_bits: options.NormBits = field(default_factory=lambda: ["4"])
    plan: plan_options.Plans = None
    batch_size: options.BatchSizes = field(default_factory=lambda: ["32"])
    image_size: options.ImageSizes = None
    frames: options.Frames = None
    dtype: options.Dtypes = field(default_factory=lambda: ["float32"])
    device: options.Devices = None
    seed: options.Seed = 0
    cross_check: options.CrossCheck = True
    timeout: options.Timeout = 1800.0
    jobs: options.Jobs = None
    launcher: options.Launcher = None
    address: options.Address = None
    output: options.Output = None
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class GradientOptions(SweepOptions):
    """What every comparison of gradients takes, as it was given."""

    data: options.Data = None
    data_dir: options.DataDir = None
    download: options.Download = False
    samples: options.Samples = None
    weights: options.Weights = "random"
    warmup_steps: options.WarmupSteps = 0
    layer: options.Layers = None
    timeout: options.Timeout = 7200.0


def taking(
    kind: type[SweepOptions], without: tuple[str, ...] = (), **defaults: Any
) -> Callable[[Command], Command]:
    """Turn a command's first parameter, of ``kind``, into the options that ``kind`` lists.

    ``defaults`` are those that differ for this command; ``...`` makes an option required. What is
    ``without`` keeps the default of ``kind``.
    """

    def decorate(command: Command) -> Command:
        hints = get_type_hints(kind, include_extras=True)
        taken = [each for each in fields(kind) if each.name not in (*without, _ASKED)]
        shared = [_parameter(each, hints[each.name], defaults) for each in taken]
        _, *own = inspect.signature(command, eval_str=True).parameters.values()

        def called(context: typer.Context, **given: Any) -> Experiment:
            chosen = {each.name: given.pop(each.name) for each in taken}
            asked = frozenset(name for name in chosen if _is_asked(context, name))
            return command(kind(**chosen, asked=asked), **given)

        context = inspect.Parameter(
            "context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context
        )
        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        called.__name__, called.__doc__ = command.__name__, command.__doc__
        called.__signature__ = inspect.Signature([context, *shared, *own])  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in [context, *shared, *own]}
        return called

    return decorate


def _is_asked(context: typer.Context, name: str) -> bool:
    """Whether an option stood on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _parameter(each: Field[Any], hint: Any, defaults: dict[str, Any]) -> inspect.Parameter:
    default = each.default if each.default_factory is MISSING else each.default_factory()
    default = defaults.get(each.name, default)
    if default is ...:
        default = inspect.Parameter.empty
    return inspect.Parameter(
        each.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint
    )
