"""The columns of ``advice.csv``: what a plan sets each module to, and what came of it."""

from xconv_bench.configuration import AdviceConfiguration
from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema, Unit
from xconv_bench.results.schema.settings import settings

ADVICE = Schema(
    "advice",
    "Plans",
    "The part of each module in a plan: how it keeps its input and what that adds to the error; "
    "predicted and measured peak and error of the whole.",
    (*settings(AdviceConfiguration), shared.LAYER),
    (
        *shared.OUTCOME,
        Column("family", str, "family", "family of modules that it belongs to"),
        Column(
            "setting", str, "keeps",
            "how the module keeps what it needs for the backward pass",
        ),
        shared.SAVED.told("memory that the module keeps so"),
        Column(
            "exact_saved_bytes", int, "exactly", "memory that it would keep exactly", Unit.BYTES
        ),
        Column(
            "predicted_error", float, "predicted error",
            "part that the module adds to the distance of the gradient of all weights, those of "
            "linear layers too, from the exact one, relative to it; for all modules the root of "
            f"the sum of squares; {shared.NOISE}",
            Unit.RELATIVE, Better.LESS, Holds.OFF_GPUS,
        ),
        shared.ERROR.told(
            "distance of the gradient of all weights, those of linear layers too, from the exact "
            f"one, relative to it, measured; {shared.NOISE}; `error.csv` has that of the "
            "convolutions' weights alone"
        ),
        Column(
            "predicted_peak_bytes", int, "predicted peak",
            "the most memory that a training step is predicted to take",
            Unit.BYTES, Better.LESS, Holds.OFF_GPUS,
        ),
        shared.PEAK,
        shared.STEP,
        shared.STEP_RATIO,
    ),
    main=("predicted_peak_bytes", "peak_bytes", "predicted_error", "relative_error"),
)  # fmt: skip
