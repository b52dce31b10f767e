"""The columns of ``estimates.csv``: single weights, as the paper's figure 3a shows them."""

from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Column, Holds, Schema
from xconv_bench.results.schema.variance import SETTINGS

ESTIMATES = Schema(
    "estimates",
    "Gradients of single weights",
    "Single estimates beside the mean of the exact gradient over minibatches.",
    (
        *SETTINGS,
        Column("weight_index", int, "weight index", "place of the weight in the flattened tensor"),
    ),
    (
        *shared.OUTCOME,
        Column(
            "exact_gradient", float, "exact gradient", "mean over the minibatches",
            holds=Holds.OFF_GPUS,
        ),
        Column(
            "exact_low", float, "exact low",
            "lower bound of 99 % of the minibatches", holds=Holds.OFF_GPUS,
        ),
        Column(
            "exact_high", float, "exact high",
            "upper bound of 99 % of the minibatches", holds=Holds.OFF_GPUS,
        ),
        Column("estimate", float, "estimate", "a single estimate", holds=Holds.OFF_GPUS),
    ),
    inner=("weight_index",),
)  # fmt: skip
