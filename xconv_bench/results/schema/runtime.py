"""The columns of ``runtime.csv``: medians over rounds, with their 95 % intervals."""

from xconv_bench.configuration import Configuration
from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema, Unit
from xconv_bench.results.schema.settings import settings

_SECONDS = (
    shared.FORWARD.told("time of the forward pass, median of the rounds"),
    shared.BACKWARD.told(
        "time of the backward pass, gradient of the input included, median of the rounds"
    ),
    shared.STEP.told("time of both, without the optimizer, median of the rounds"),
)
_RATIOS = (
    Column(
        "forward_ratio", float, "forward ratio",
        "median ratio of a forward pass to that of exact in the same round",
        Unit.TIMES_EXACT, Better.LESS, Holds.ON_ITS_MACHINE,
    ),
    Column(
        "backward_ratio", float, "backward ratio",
        "median ratio of a backward pass to that of exact in the same round",
        Unit.TIMES_EXACT, Better.LESS, Holds.ON_ITS_MACHINE,
    ),
    shared.STEP_RATIO.told("median ratio of a step to that of exact in the same round"),
)  # fmt: skip

RUNTIME = Schema(
    "runtime",
    "Time of a training step",
    "Medians over rounds in which all methods take turns, with their 95 % intervals; "
    "ratios are to exact in the same round.",
    settings(Configuration),
    (
        *shared.OUTCOME,
        Column("rounds", int, "rounds", "rounds in which all methods took turns"),
        *(each for column in (*_SECONDS, *_RATIOS) for each in column.with_interval()),
        shared.CPU_WAIT,
    ),
    main=("step_seconds", "forward_seconds", "backward_seconds"),
)
