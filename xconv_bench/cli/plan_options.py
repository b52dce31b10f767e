"""The options that are about plans."""

from typing import Annotated

import typer

from xconv_bench.cli.options import finite

Plans = Annotated[
    list[str] | None,
    typer.Option(
        "--plan",
        metavar="FILE...",
        help="What xconv keeps, module by module: a file that advise wrote, in place of all else.",
    ),
]
PeakBudget = Annotated[
    str | None,
    typer.Option(
        "--memory-budget",
        metavar="SIZE",
        help="The largest peak of a step, e.g. 8GiB: least error below it.",
    ),
]
TargetError = Annotated[
    float | None,
    typer.Option(
        "--error",
        metavar="X",
        help="The largest relative error of the gradient: least memory below it.",
        min=1e-9,
        callback=finite,
    ),
]
