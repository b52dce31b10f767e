"""The columns of ``frontier.csv``, which follows from those of memory, runtime and error."""

from xconv_bench.configuration import GradientConfiguration
from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema, Unit
from xconv_bench.results.schema.settings import settings

FRONTIER = Schema(
    "frontier",
    "Memory against error and time",
    "The cost of each method in error and time for the memory that it saves, and which other "
    "method takes no more of all three.",
    settings(GradientConfiguration),
    (
        *shared.OUTCOME,
        Column("peak_meter", str, "peak meter", "column of `memory.csv` that the peak is from"),
        shared.PEAK,
        Column(
            "peak_ratio", float, "peak ratio", "peak over that of exact",
            Unit.TIMES_EXACT, Better.LESS, Holds.OFF_GPUS,
        ),
        *shared.ERROR.told(
            "distance of the convolutions' weight gradients from the exact ones, root mean square, "
            f"relative to them; {shared.NOISE}; 0 where it is rounding"
        ).with_error(),
        shared.FLOOR,
        shared.STEP,
        shared.STEP_RATIO,
        shared.CPU_WAIT,
        Column(
            "beaten_in_error_by", str, "beaten in error by",
            "a method that takes no more memory and has no larger error; empty on the front",
        ),
        Column(
            "beaten_in_time_by", str, "beaten in time by",
            "a method that takes no more memory and has no longer step; empty on the front",
        ),
        Column(
            "beaten_in_all_by", str, "beaten in all by",
            "a method that takes no more memory, has no larger error and no longer step; on the "
            "front there is none",
        ),
    ),
    main=("peak_bytes", "relative_error", "step_seconds", "beaten_in_all_by"),
)  # fmt: skip
