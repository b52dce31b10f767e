"""The options that commands share, spelt and explained once.

An option that sweeps takes values with commas between them, and may be repeated.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from xconv_bench.cli.parsing import LARGEST_COUNT


def at_most(most: float) -> Callable[[float | None], float | None]:
    """Return the check of a number that somebody gave: it is one, and no more than ``most``."""

    def check(value: float | None) -> float | None:
        if value is not None and not value <= most:  # so that NaN is refused, too
            raise typer.BadParameter(f"expected a number up to {most:.10g}")
        return value

    return check


finite = at_most(1e300)
sane = at_most(LARGEST_COUNT)
few = at_most(100_000)
"""For what becomes as many measurements, which the plan holds all."""

DTYPES = ("float32", "float64", "bfloat16", "float16")

Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        metavar="NAME...",
        help="A name of `xconv-bench models`, timm:NAME, or your own file.py:callable.",
    ),
]
Methods = Annotated[
    list[str],
    typer.Option(
        "--method",
        metavar="NAME...",
        help="exact, xconv, checkpoint, rad-sampling, invertible, quantized, offload, "
        "compile-budget; together, in this order: xconv+checkpoint.",
    ),
]
Schemes = Annotated[
    list[str],
    typer.Option(
        "--scheme",
        metavar="NAME...",
        help="What xconv keeps: independent, multi, orthogonal (--probes), spectral, quantized "
        "(--bits) or sampling (--keep). Without it, those of the default whose option is given.",
    ),
]
Probes = Annotated[
    list[str],
    typer.Option(
        "--probes", metavar="N...", help="Of independent, multi, orthogonal: probes of each layer."
    ),
]
Distributions = Annotated[
    list[str],
    typer.Option(
        "--distribution", metavar="NAME...", help="Of the probes: rademacher or gaussian."
    ),
]
Compress = Annotated[
    list[str],
    typer.Option(
        "--compress",
        metavar="SET...",
        help="What xconv, rad and quantized swap, families joined by commas: conv, relu, pool, "
        "act, dropout, norm, linear, functions; or all. To sweep, repeat.",
    ),
]
First = Annotated[
    list[str],
    typer.Option(
        "--first",
        metavar="NAME...",
        help="The layer whose input is the batch, which is held anyway: exact or compressed.",
    ),
]
Allot = Annotated[
    list[str] | None,
    typer.Option(
        "--allot",
        metavar="NAME...",
        help="Give every layer the same bits, probes or pixels (layer), or divide that average "
        "among the layers by what they need (network).",
        show_default="network for spectral, else layer",
    ),
]
Segments = Annotated[
    list[str] | None,
    typer.Option(
        "--segments",
        metavar="N...",
        help="Of checkpoint: into how many the blocks are grouped.",
        show_default="each block",
    ),
]
Keep = Annotated[
    list[str],
    typer.Option(
        "--keep", metavar="X...", help="Of sampling and rad: the part of the pixels that is kept."
    ),
]
Bits = Annotated[
    list[str] | None,
    typer.Option(
        "--bits",
        metavar="X...",
        help="Bits an element, of spectral above 0 up to 8, of quantized 1, 2, 4 or 8.",
        show_default="spectral 0.5, quantized 2",
    ),
]
ActivationBudgets = Annotated[
    list[str],
    typer.Option(
        "--budget",
        metavar="X...",
        help="Of compile-budget: the part of the activations that is kept.",
    ),
]
NormBits = Annotated[
    list[str],
    typer.Option(
        "--norm-bits",
        metavar="N...",
        help="Bits an element that normalisations keep, where they are compressed: 1, 2, 4 or 8.",
    ),
]
BatchSizes = Annotated[
    list[str], typer.Option("--batch-size", metavar="N...", help="Images of a step.")
]
ImageSizes = Annotated[
    list[str] | None,
    typer.Option(
        "--image-size", metavar="N...", help="Pixels a side.", show_default="the model's own"
    ),
]
Frames = Annotated[
    int | None,
    typer.Option(
        "--frames",
        metavar="N",
        help="Frames of a video model.",
        min=1,
        callback=sane,
        show_default="16",
    ),
]
Dtypes = Annotated[
    list[str], typer.Option("--dtype", metavar="NAME...", help=f"{', '.join(DTYPES)}.")
]
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        metavar="NAME...",
        help="cpu, cuda or cuda:N.",
        show_default="cuda if there is one",
    ),
]
Simulate = Annotated[
    bool, typer.Option("--simulate", help="Count memory without computing: needs no GPU.")
]
CrossCheck = Annotated[
    bool,
    typer.Option(
        "--cross-check/--no-cross-check",
        help="Hold simulated memory against a small real step, once for each network and method.",
    ),
]
Repeats = Annotated[
    int,
    typer.Option(
        "--repeats", metavar="N", help="Repeats, each with its own seed.", min=1, callback=few
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        metavar="N",
        help="Of weights, data and probes; repeats count on.",
        min=0,
        max=2**32,
    ),
]
Steps = Annotated[
    int,
    typer.Option(
        "--steps",
        metavar="N",
        help="Steps on the clock; their median counts.",
        min=1,
        callback=sane,
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="After which a measurement is given up.",
        min=1,
        callback=sane,
    ),
]
LAUNCHERS = ("local", "ray")
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        help="Simulations at once, and GPUs; what is timed on the CPU has it alone.",
        min=1,
        callback=sane,
        show_default="1",
    ),
]
Launcher = Annotated[
    str | None,
    typer.Option(
        "--launcher",
        metavar="NAME",
        help="local, or ray for a cluster: one measurement has one GPU.",
        show_default="local",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Of a Ray cluster.",
        show_default="the one of RAY_ADDRESS, or one of this machine",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FOLDER",
        help="Of the run; an old one is resumed.",
        show_default="a new one in runs",
    ),
]

EstimatorSeeds = Annotated[
    int,
    typer.Option(
        "--repeats",
        metavar="N",
        help="Seeds of the estimator for each batch.",
        min=2,
        callback=sane,
    ),
]
Minibatches = Annotated[
    int,
    typer.Option("--minibatches", metavar="N", help="Minibatches to draw.", min=3, callback=sane),
]
TargetRatio = Annotated[
    float,
    typer.Option(
        "--target-ratio",
        metavar="X",
        help="Find the fewest probes that keep estimator / sampling variance at X.",
        min=1e-9,
        callback=finite,
    ),
]
BiasTest = Annotated[
    bool,
    typer.Option("--bias-test", help="Show whether the mean is right; exit code 1 if not."),
]
Age = Annotated[
    bool,
    typer.Option("--age", help="Average gradient error over the whole data set instead."),
]
MemoryBudget = Annotated[
    str | None,
    typer.Option(
        "--memory-budget",
        metavar="SIZE",
        help="With --age: the largest batch that fits, for each method, e.g. 16GiB.",
    ),
]
Grid = Annotated[
    str | None,
    typer.Option(
        "--grid",
        metavar="NAME",
        help="paper: its layers, sizes and batches; for a GPU.",
    ),
]
Rounds = Annotated[
    int,
    typer.Option(
        "--rounds", metavar="N", help="Steps of each method, in turns.", min=1, callback=sane
    ),
]
Budget = Annotated[
    str, typer.Option("--memory-budget", metavar="SIZE", help="Of the GPU, e.g. 16GiB.")
]
PartOfBudget = Annotated[
    float,
    typer.Option(
        "--headroom",
        metavar="X",
        help="Part of the budget that a step may take.",
        min=0.01,
        callback=sane,
        max=1,
    ),
]
Most = Annotated[
    int, typer.Option("--max", metavar="N", help="Try no larger batch.", min=1, callback=sane)
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Train the answer for ten steps, with --device cuda.")
]
HEADROOM = 0.92
Headroom = Annotated[
    float | None,
    typer.Option(
        "--headroom",
        metavar="X",
        help="Part of the budget that a step may take.",
        min=0.01,
        callback=sane,
        max=1,
        show_default=str(HEADROOM),
    ),
]

CIFAR = "paper/cifar"
ALL_SCHEMES = "independent,multi,orthogonal,spectral"
ALL_METHODS = "exact,xconv,checkpoint,rad-sampling,invertible,quantized,offload,compile-budget"

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME",
        help="What to train on, of `xconv-bench data`.",
        show_default="photos for images, else synthetic",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="FOLDER", help="Where mnist, cifar10 or imagefolder lie."),
]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch data or weights that are not there.")
]
Samples = Annotated[
    int | None,
    typer.Option(
        "--samples",
        metavar="N",
        help="Use the first N samples only.",
        min=1,
        callback=sane,
        show_default="all; 4096 of photos and synthetic, which have no end",
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        "--weights", metavar="SOURCE", help="random, torchvision, or a file with a state_dict."
    ),
]
WarmupSteps = Annotated[
    int,
    typer.Option(
        "--warmup-steps", metavar="N", help="Steps to train exactly first.", min=0, callback=sane
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        metavar="NAME...",
        help="Show these layers only; all are measured.",
        show_default="all",
    ),
]
