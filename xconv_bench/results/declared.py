"""Every column of every table, once: what it holds, which way it is better, how far it holds."""

from collections.abc import Iterator
from dataclasses import fields

from xconv_bench.configuration import KINDS
from xconv_bench.results.column import Better, Column, Holds

EVERYWHERE, OFF_GPUS, ON_ITS_MACHINE = Holds
LESS, MORE = Better


def _settings() -> Iterator[Column]:
    """What configurations are known by: chosen, so that no value is better than another."""
    for field in (field for kind in KINDS for field in fields(kind)):
        held = next(kind for kind in (int, float, str) if field.type in (kind, kind | None))
        yield Column(field.name, held, None, EVERYWHERE)


def _texts(*names: str) -> Iterator[Column]:
    return (Column(name, str, None, EVERYWHERE) for name in names)


def _counts(better: Better | None, holds: Holds, *names: str) -> Iterator[Column]:
    return (Column(name, int, better, holds) for name in names)


def _numbers(better: Better | None, holds: Holds, *names: str) -> Iterator[Column]:
    return (Column(name, float, better, holds) for name in names)


COLUMNS = {
    column.name: column
    for column in (
        *_settings(),
        *_texts(
            "status", "message", "layer", "phase", "kind", "limited_by", "peak_meter",
            "bias_verdict", "family", "setting", "beaten_in_error_by", "beaten_in_time_by",
            "beaten_in_all_by",
        ),
        # What networks and plans are.
        *_counts(
            None, EVERYWHERE, "parameters", "convolutions", "weight_elements", "weight_index",
            "position", "epoch", "rounds", "points", "minibatch_count", "trained_steps",
        ),
        *_numbers(None, EVERYWHERE, "target_ratio", "bias_false_alarm_rate"),
        # Memory.
        *_counts(LESS, EVERYWHERE, "saved_bytes", "simulated_peak_bytes"),
        *_counts(None, EVERYWHERE, "exact_saved_bytes"),
        *_counts(
            LESS, OFF_GPUS, "predicted_peak_bytes", "live_peak_bytes", "peak_bytes", "start_bytes",
            "layer_bytes", "layer_peak_bytes",
        ),
        *_numbers(LESS, OFF_GPUS, "peak_ratio"),
        *_counts(
            LESS, ON_ITS_MACHINE, "allocated_peak_bytes", "reserved_peak_bytes",
            "nvml_process_bytes", "nvml_process_peak_bytes", "nvml_device_peak_bytes",
            "nvml_context_bytes", "rss_peak_bytes",
        ),
        *_counts(MORE, OFF_GPUS, "max_batch_size"),
        # Time.
        *_numbers(
            LESS, ON_ITS_MACHINE, "forward_seconds", "backward_seconds", "step_seconds",
            "forward_ratio", "backward_ratio", "step_ratio", "epoch_seconds",
        ),
        *_numbers(
            None, ON_ITS_MACHINE,
            *(
                f"{phase}_{figure}_{bound}"
                for phase in ("forward", "backward", "step")
                for figure in ("seconds", "ratio")
                for bound in ("low", "high")
            ),
        ),
        *_numbers(None, ON_ITS_MACHINE, "cpu_wait_part"),
        # Errors of gradients.
        *_numbers(
            LESS, OFF_GPUS, "predicted_error", "gradient_relative_error", "relative_error",
            "relative_bias", "relative_spread", "average_gradient_error", "squared_error",
            "estimator_variance", "total_variance", "variance_ratio", "ratio_at_one_probe",
        ),
        *_numbers(MORE, OFF_GPUS, "cosine", "bias_p_value"),
        *_counts(LESS, OFF_GPUS, "smallest_probes"),
        # What these are held against, and how well they are known.
        *_numbers(
            None, OFF_GPUS, "floor_error", "gradient_norm", "full_gradient_norm", "exact_gradient",
            "exact_low", "exact_high", "estimate", "sampling_variance",
            "exact_average_gradient_error",
            "rounding_squared_error", "exponent", "r_squared", "relative_bias_noise",
            "relative_error_se", "cosine_se", "relative_spread_se", "sampling_variance_se",
            "estimator_variance_se", "total_variance_se", "variance_ratio_low",
            "variance_ratio_high", "squared_error_se", "rounding_squared_error_se",
            "average_gradient_error_se", "exact_average_gradient_error_se", "exponent_se",
        ),
        # What was trained.
        *_numbers(
            MORE, OFF_GPUS, "accuracy", "classifier_agreement", "psnr_db", "ssim", "dice", "iou"
        ),
        *_numbers(LESS, OFF_GPUS, "frechet_distance", "loss"),
    )
}  # fmt: skip
"""The columns of all tables by their names."""
