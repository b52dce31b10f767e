"""The columns of ``variance.csv``. A variance is summed over the weights: E‖g - E g‖²."""

from xconv_bench.configuration import VarianceConfiguration
from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema
from xconv_bench.results.schema.settings import settings

SETTINGS = (*settings(VarianceConfiguration), shared.LAYER)

VARIANCE = Schema(
    "variance",
    "Variance of the gradients",
    "The variance that the estimator adds to that of minibatches, which is there anyway.",
    SETTINGS,
    (
        *shared.OUTCOME,
        shared.WEIGHT_ELEMENTS,
        shared.LAYER_SAVED,
        shared.GRADIENT_NORM.told("norm of the mean gradient"),
        *Column(
            "sampling_variance", float, "sampling variance",
            "variance of the exact gradient over minibatches",
            holds=Holds.OFF_GPUS,
        ).with_error(),
        *Column(
            "estimator_variance", float, "estimator variance",
            "variance of the estimate given the minibatch",
            None, Better.LESS, Holds.OFF_GPUS,
        ).with_error(),
        *Column(
            "total_variance", float, "total variance",
            "variance of the estimate over minibatches and seeds, measured by itself",
            None, Better.LESS, Holds.OFF_GPUS,
        ).with_error(),
        *Column(
            "variance_ratio", float, "variance ratio",
            "variance that the estimator adds, over that which sampling minibatches causes anyway: "
            "at 1 the variance is doubled",
            None, Better.LESS, Holds.OFF_GPUS,
        ).with_interval(),
        *Column(
            "squared_error", float, "squared error",
            "E‖ĝ - g‖² of an estimate ĝ; at half precision g is computed in float64",
            None, Better.LESS, Holds.OFF_GPUS,
        ).with_error(),
        *Column(
            "rounding_squared_error", float, "rounding squared error",
            "the same of the exact layer in the same dtype",
            holds=Holds.OFF_GPUS,
        ).with_error(),
    ),
    main=("variance_ratio", "estimator_variance", "sampling_variance", "total_variance"),
)  # fmt: skip
