"""The options that commands share, spelt and explained once.

An option that sweeps takes values with commas between them, and may be repeated.
"""

from pathlib import Path
from typing import Annotated

import typer

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
    list[str], typer.Option("--method", metavar="NAME...", help="Compared: exact and xconv.")
]
Schemes = Annotated[
    list[str],
    typer.Option("--scheme", metavar="NAME...", help="Probing: independent, multi or orthogonal."),
]
Probes = Annotated[
    list[str], typer.Option("--probes", metavar="N...", help="Probes of each convolution.")
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
        help="What xconv swaps: conv,relu or one of them; to sweep, repeat the option.",
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
        "--frames", metavar="N", help="Frames of a video model.", min=1, show_default="16"
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
Repeats = Annotated[
    int, typer.Option("--repeats", metavar="N", help="Repeats, each with its own seed.", min=1)
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", help="Seed of the first repeat.", min=0, max=2**32)
]
Steps = Annotated[
    int,
    typer.Option("--steps", metavar="N", help="Steps on the clock; their median counts.", min=1),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", metavar="SECONDS", help="After which a measurement is given up.", min=1
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

METHODS = ["exact", "xconv"]
SCHEMES = ["independent"]
PROBES = ["8"]
DISTRIBUTION = ["rademacher"]
COMPRESS = ["conv,relu"]
BATCH_SIZES = ["32"]
DTYPE = ["float32"]
