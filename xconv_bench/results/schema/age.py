"""The columns of ``age.csv``: (1/M) Σ_b ‖g - ĝ_b‖² with g the exact gradient of all samples."""

from xconv_bench.configuration import AverageErrorConfiguration
from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema
from xconv_bench.results.schema.settings import settings

AGE = Schema(
    "age",
    "Average gradient error",
    "The mean squared distance of gradients of minibatches from that of all samples; that "
    "of exact gradients is the floor.",
    (*settings(AverageErrorConfiguration), shared.LAYER),
    (
        *shared.OUTCOME,
        shared.WEIGHT_ELEMENTS,
        Column("minibatch_count", int, "minibatches", "minibatches that the mean is taken over"),
        Column(
            "full_gradient_norm", float, "full gradient norm",
            "norm of the exact gradient of all samples",
            holds=Holds.OFF_GPUS,
        ),
        *Column(
            "average_gradient_error", float, "average error",
            "mean over the minibatches of the squared distance of their gradient from the exact "
            "gradient of all samples, over all convolution weights",
            None, Better.LESS, Holds.OFF_GPUS,
        ).with_error(),
        *Column(
            "exact_average_gradient_error", float, "floor",
            "the same of exact gradients on the same minibatches: the noise that they have anyway",
            holds=Holds.OFF_GPUS,
        ).with_error(),
    ),
    main=("average_gradient_error", "exact_average_gradient_error"),
)  # fmt: skip
