"""The columns of ``variance_law.csv``: ratio = ``ratio_at_one_probe`` · probes^``exponent``.

A law is fitted to the rows of ``variance.csv`` with the same setting and any number of probes.
"""

from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema
from xconv_bench.results.schema.variance import SETTINGS

VARIANCE_LAW = Schema(
    "variance_law",
    "How variance falls with probes",
    "Power laws fitted to the variance ratio, and the fewest probes that keep it at the "
    "target.",
    tuple(column for column in SETTINGS if column.name != "probes"),
    (
        *shared.OUTCOME,
        Column("points", int, "points", "numbers of probes that the law is fitted to"),
        *Column(
            "exponent", float, "exponent",
            "p of the law ratio ∝ rᵖ: -1 for independent probes",
            holds=Holds.OFF_GPUS,
        ).with_error(),
        Column(
            "r_squared", float, "R²", "part of the ratio's variation that the law explains",
            holds=Holds.OFF_GPUS,
        ),
        Column(
            "ratio_at_one_probe", float, "ratio at one probe", "ratio that the law has at r = 1",
            None, Better.LESS, Holds.OFF_GPUS,
        ),
        Column(
            "target_ratio", float, "target ratio", "variance ratio that is to be kept",
            is_chosen=True,
        ),
        Column(
            "smallest_probes", int, "smallest probes",
            "the fewest probes r that keep the variance ratio at the target or below",
            None, Better.LESS, Holds.OFF_GPUS,
        ),
    ),
    main=("ratio_at_one_probe", "exponent", "smallest_probes"),
)  # fmt: skip
