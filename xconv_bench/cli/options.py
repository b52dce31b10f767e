"""The options that commands share, spelt and explained once, in groups as the help shows them.

An option whose metavar ends in ``...`` takes several values: it is repeated, or they are joined
by commas. Options of one command stand beside the command.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from xconv_bench import parsing
from xconv_bench.configuration import GradientConfiguration
from xconv_bench.knobs import Knob
from xconv_bench.methods import METHODS
from xconv_bench.parsing import LARGEST_COUNT

NETWORK = "Network and batch"
METHOD = "Methods and their knobs"
DATA = "Data and weights"
PLACE = "Where and how it runs"
OUTPUT = "Output"
GROUPS = (NETWORK, METHOD, DATA, PLACE, OUTPUT)
"""The titles of the groups of shared options, in their order in the help."""

SEVERAL = "Options marked ... take several values: repeat the option, or join values with commas."


def at_most(most: float) -> Callable[[float | None], float | None]:
    """Return a check that a number is given and no larger than ``most``."""

    def check(value: float | None) -> float | None:
        if value is not None and not value <= most:  # so that NaN is refused, too
            raise typer.BadParameter(f"expected a number up to {most:.10g}")
        return value

    return check


finite = at_most(1e300)
sane = at_most(LARGEST_COUNT)
few = at_most(100_000)
"""Checks a count of measurements, all of which the plan holds in memory."""

DTYPES = ("float32", "float64", "bfloat16", "float16")
LAUNCHERS = ("local", "ray")
CIFAR = "paper/cifar"
ALL_SCHEMES = "independent,multi,orthogonal,spectral"


def read_log(given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the trackers to log to. Raises UsageError for one that is unknown or not installed."""
    if not given:
        return ()
    from xconv_bench.tracking import read_places

    return read_places("--log", parsing.words("--log", given))


def option_of(knob: Knob) -> Any:
    """Return the type of the parameter that a knob becomes, with its option."""
    return Annotated[
        list[str] | None,
        typer.Option(
            knob.option,
            metavar=f"{knob.metavar}...",
            help=knob.help,
            show_default=knob.default_words or True,
            rich_help_panel=METHOD,
        ),
    ]


Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        metavar="NAME...",
        help="Network to measure: a name from `xconv-bench models`, timm:NAME, smp:NAME, "
        "monai:NAME, hf:NAME, or your own as file.py:callable.",
        rich_help_panel=NETWORK,
    ),
]
BatchSizes = Annotated[
    list[str],
    typer.Option(
        "--batch-size",
        metavar="N...",
        help="Batch size: samples per training step.",
        rich_help_panel=NETWORK,
    ),
]
ImageSizes = Annotated[
    list[str] | None,
    typer.Option(
        "--image-size",
        metavar="N...",
        help="Width and height of the images in pixels.",
        show_default="the model's own",
        rich_help_panel=NETWORK,
    ),
]
Frames = Annotated[
    int | None,
    typer.Option(
        "--frames",
        metavar="N",
        help="Frames per sample, for video models.",
        min=1,
        callback=sane,
        show_default="16",
        rich_help_panel=NETWORK,
    ),
]
Inputs = Annotated[
    str | None,
    typer.Option(
        "--inputs",
        metavar="FILE.py:CALLABLE",
        help="Give the network what this makes of (batch size, image size): a tensor, or a tuple "
        "or dict of tensors.",
        show_default="random images",
        rich_help_panel=NETWORK,
    ),
]
Loss = Annotated[
    str | None,
    typer.Option(
        "--loss",
        metavar="FILE.py:CALLABLE",
        help="Train with the scalar that this makes of (output, inputs).",
        show_default="as fits the network",
        rich_help_panel=NETWORK,
    ),
]
Dtypes = Annotated[
    list[str],
    typer.Option(
        "--dtype",
        metavar="NAME...",
        help=f"Number format of weights and activations: {', '.join(DTYPES)}.",
        rich_help_panel=NETWORK,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        help="Seed for weights, data and probes.",
        min=0,
        max=2**32,
        rich_help_panel=NETWORK,
    ),
]

Methods = Annotated[
    list[str],
    typer.Option(
        "--method",
        metavar="NAME...",
        help=f"Training method: {', '.join(METHODS)}. Methods that compose are joined with +, "
        "such as xconv+checkpoint.",
        rich_help_panel=METHOD,
    ),
]

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Data set to compute gradients on: a name from `xconv-bench data`.",
        show_default="photos for images, else synthetic",
        rich_help_panel=DATA,
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Folder with the files of a data set that does not come with a package, such as "
        "cifar10.",
        rich_help_panel=DATA,
    ),
]
Download = Annotated[
    bool,
    typer.Option(
        "--download",
        help="Download data and weights that are missing.",
        rich_help_panel=DATA,
    ),
]
Samples = Annotated[
    int | None,
    typer.Option(
        "--samples",
        metavar="N",
        help="Use only the first N samples of the data set.",
        min=1,
        callback=sane,
        show_default=f"all; {GradientConfiguration.samples} of photos and synthetic, which are "
        "endless",
        rich_help_panel=DATA,
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        metavar="SOURCE",
        help="Initial weights: random, torchvision (pretrained), or a file with a state_dict.",
        rich_help_panel=DATA,
    ),
]
WarmupSteps = Annotated[
    int,
    typer.Option(
        "--warmup-steps",
        metavar="N",
        help="Train the network exactly for N steps before gradients are compared.",
        min=0,
        callback=sane,
        rich_help_panel=DATA,
    ),
]

Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        metavar="NAME...",
        help="Device to run on: cpu, cuda or cuda:N; for memory, layers and max-batch also "
        "simulated.",
        show_default="cuda if there is one",
        rich_help_panel=PLACE,
    ),
]
CrossCheck = Annotated[
    bool,
    typer.Option(
        "--cross-check/--no-cross-check",
        help="Compare simulated memory with that of a small real step, once per network and "
        "method.",
        rich_help_panel=PLACE,
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="Give up on a measurement after SECONDS.",
        min=1,
        callback=sane,
        rich_help_panel=PLACE,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        help="Run up to N simulations, or measurements on N GPUs, in parallel; measurements on "
        "the CPU always run alone.",
        min=1,
        callback=sane,
        show_default="1",
        rich_help_panel=PLACE,
    ),
]
Launcher = Annotated[
    str | None,
    typer.Option(
        "--launcher",
        metavar="NAME",
        help="Machines to run on: local for this one, ray for a Ray cluster, with one GPU for "
        "each measurement.",
        show_default="local",
        rich_help_panel=PLACE,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Address of the Ray cluster, with --launcher ray.",
        show_default="RAY_ADDRESS, else a cluster on this machine",
        rich_help_panel=PLACE,
    ),
]

Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        metavar="NAME...",
        help="Show only these layers; all of them are measured.",
        show_default="all",
        rich_help_panel=OUTPUT,
    ),
]
Log = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="PLACE...",
        help="Log settings, the metrics of every epoch and the final figures to "
        "tensorboard:FOLDER or mlflow:URI.",
        show_default="the run directory alone",
        rich_help_panel=OUTPUT,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FOLDER",
        help="Run directory; an existing one is resumed.",
        show_default="a new one in runs",
        rich_help_panel=OUTPUT,
    ),
]

EstimatorSeeds = Annotated[
    int,
    typer.Option(
        "--repeats",
        metavar="N",
        help="Repeat each estimate with N seeds of the estimator, on the same batch.",
        min=2,
        callback=sane,
    ),
]
Rounds = Annotated[
    int,
    typer.Option(
        "--rounds",
        metavar="N",
        help="Time N rounds; in each, every method takes one step.",
        min=1,
        callback=sane,
    ),
]
