"""The columns of ``error.csv``: K seeds of the estimator on one batch, layer by layer.

With g the exact gradient and ĝ_k the estimates, ``relative_error`` is √(mean ‖ĝ_k - g‖²) / ‖g‖,
``relative_bias`` ‖mean ĝ_k - g‖ / ‖g‖ and ``relative_spread`` the standard deviation of ĝ_k over
‖g‖. ``floor_error`` is 0 but for networks that cannot be put back and kernels without a fixed
order. Uncounted steps go before, with another batch: what a method learns of a network, such as how
``spectral`` divides its bits, it has learnt from samples that are not measured, as in training.
"""

from xconv_bench.configuration import ErrorConfiguration
from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema, Unit
from xconv_bench.results.schema.settings import settings

ERROR = Schema(
    "error",
    "Error of the weight gradients",
    "How far estimated weight gradients are from the exact ones, over several seeds of "
    "the estimator on one batch.",
    (*settings(ErrorConfiguration), shared.LAYER),
    (
        *shared.OUTCOME,
        shared.WEIGHT_ELEMENTS,
        shared.LAYER_SAVED,
        shared.GRADIENT_NORM,
        *shared.ERROR.with_error(),
        shared.FLOOR,
        *Column(
            "cosine", float, "cosine",
            "cosine of the angle between an estimated and the exact gradient: 1 is the same "
            "direction",
            None, Better.MORE, Holds.OFF_GPUS,
        ).with_error(),
        Column(
            "relative_bias", float, "bias",
            "how far the mean estimate lies from the exact gradient, relative to it",
            Unit.RELATIVE, Better.LESS, Holds.OFF_GPUS,
        ),
        Column(
            "relative_bias_noise", float, "bias noise",
            "bias that chance alone would show, root mean square: spread / √K of K seeds",
            Unit.RELATIVE, holds=Holds.OFF_GPUS,
        ),
        *Column(
            "relative_spread", float, "spread",
            "standard deviation of the estimates, relative to the exact gradient: the error "
            "without the bias",
            Unit.RELATIVE, Better.LESS, Holds.OFF_GPUS,
        ).with_error(),
        Column(
            "bias_p_value", float, "p",
            "how probable a mean as far off is without bias; for all layers, that of the worst of "
            "them",
            Unit.PROBABILITY, Better.MORE, Holds.OFF_GPUS,
        ),
        Column(
            "bias_false_alarm_rate", float, "false alarms",
            "probability below which the p of an unbiased layer is called biased; for all layers, "
            "the probability of any false alarm in the network",
            Unit.PROBABILITY, is_chosen=True,
        ),
        Column(
            "bias_verdict", str, "bias test",
            "whether the mean estimate is the exact gradient: unbiased, biased, or exact to "
            "rounding",
        ),
    ),
    main=("relative_error", "cosine", "relative_spread", "saved_bytes", "bias_verdict"),
)  # fmt: skip
