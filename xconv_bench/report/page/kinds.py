"""What each table is about, and which of its figures matter most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan

from xconv_bench.configuration import KNOBS
from xconv_bench.report.error_figures import is_exact
from xconv_bench.report.figures import PEAK_COLUMNS
from xconv_bench.report.settings import Setting, is_reference, number, of_network, settings_of
from xconv_bench.report.summary import Row, summarize
from xconv_bench.report.training_words import SETTING_KEY, means_over_seeds
from xconv_bench.report.words import method_words
from xconv_bench.results.columns import MEASURES
from xconv_bench.results.run_directory import TABLES


@dataclass(frozen=True)
class Kind:
    """A table by its ``name``: a heading, a sentence on what it shows, and its main figures.

    The first of ``figures`` that has values is the outcome in one number. ``inner`` are the key
    columns that tell rows of one configuration apart.
    """

    name: str
    title: str
    sentence: str
    figures: tuple[str, ...]
    inner: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The columns by which its rows are known."""
        return TABLES[self.name][1]

    @property
    def setting_key(self) -> tuple[str, ...]:
        """The columns by which its settings are known, beside those that a setting is across."""
        return tuple(column for column in self.key if column not in self.inner)

    @property
    def has_answer(self) -> bool:
        """Whether a row, or several together, say how good a method is."""
        return bool(self.figures)


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "memory",
            "Memory of a training step",
            "The most memory that a forward and a backward pass take, what autograd saves "
            "between them, and how long they take.",
            (*PEAK_COLUMNS, "saved_bytes", "step_seconds", "gradient_relative_error"),
            inner=("repeat", "seed"),
        ),
        Kind(
            "max_batch",
            "Largest batch",
            "The largest batch whose training step fits into the memory.",
            ("max_batch_size", "limited_by", "allocated_peak_bytes", "simulated_peak_bytes"),
        ),
        Kind(
            "frontier",
            "Memory against error and time",
            "What each method costs in error and time for the memory that it saves, and which "
            "other method takes no more of all three.",
            ("peak_bytes", "relative_error", "step_seconds", "beaten_in_all_by"),
        ),
        Kind(
            "advice",
            "Plans",
            "What each module keeps by a plan, and what that adds to the error; predicted and "
            "measured peak and error of the whole.",
            ("predicted_peak_bytes", "peak_bytes", "predicted_error", "relative_error"),
        ),
        Kind(
            "runtime",
            "Time of a training step",
            "Medians over rounds in which all methods take turns, with their 95 % intervals; "
            "ratios are to exact in the same round.",
            ("step_seconds", "forward_seconds", "backward_seconds"),
        ),
        Kind(
            "layers",
            "Memory along a training step",
            "The memory behind every layer of one step, forward and backward.",
            ("layer_peak_bytes",),
            inner=("position",),
        ),
        Kind(
            "error",
            "Error of the weight gradients",
            "How far estimated weight gradients are from the exact ones, over several seeds of "
            "the estimator on one batch.",
            ("relative_error", "cosine", "relative_spread", "saved_bytes", "bias_verdict"),
        ),
        Kind(
            "age",
            "Average gradient error",
            "The mean squared distance of gradients of minibatches from that of all samples; "
            "that of exact gradients is the floor.",
            ("average_gradient_error", "exact_average_gradient_error"),
        ),
        Kind(
            "variance",
            "Variance of the gradients",
            "What the estimator adds to the variance that minibatches have anyway.",
            ("variance_ratio", "estimator_variance", "sampling_variance", "total_variance"),
        ),
        Kind(
            "training",
            "Training with each method",
            "The task's own measure after the last epoch, mean over seeds, of networks that began "
            "with the same weights and saw the same batches, seed by seed; a gap below 0 is worse "
            "than exact, ± half of its 95 % interval. The curves show every epoch.",
            (*MEASURES, "gap", "epoch_seconds", *PEAK_COLUMNS),
            inner=("epoch", "seed", "batch_size", "learning_rate"),
        ),
        Kind(
            "estimates",
            "Gradients of single weights",
            "Single estimates beside the mean of the exact gradient over minibatches.",
            (),
            inner=("weight_index",),
        ),
        Kind(
            "variance_law",
            "How variance falls with probes",
            "Power laws fitted to the variance ratio, and the fewest probes that keep it at the "
            "target.",
            ("ratio_at_one_probe", "exponent", "smallest_probes"),
        ),
    )
}
"""All tables by name, in the order of the report."""


def shown_figures(kind: Kind, rows: Sequence[Row]) -> list[str]:
    """The main figures that any of the rows has; of several meters of the peak the first."""
    found = [name for name in kind.figures if any(row.get(name) is not None for row in rows)]
    peaks = [name for name in PEAK_COLUMNS if name in found]
    return [name for name in found if name not in peaks[1:]]


def condensed(kind: Kind, rows: Sequence[Row]) -> list[Setting]:
    """One row for each configuration, setting by setting: the network's, the median or the mean."""
    if kind.name == "training":
        return settings_of(means_over_seeds(rows), SETTING_KEY)
    return settings_of(_configurations(kind, rows), kind.setting_key)


def candidates(kind: Kind, rows: Sequence[Row], column: str) -> list[Row]:
    """The rows of methods other than exact that have a figure to be held against others'."""
    found = [
        row
        for row in rows
        if row["status"] == "ok" and not is_reference(row) and isfinite(_number(row, column))
    ]
    return [row for row in found if not is_exact(row)] if kind.name == "error" else found


def _number(row: Row, column: str) -> float:
    value = number(row, column)
    return nan if value is None else value


def _configurations(kind: Kind, rows: Sequence[Row]) -> list[Row]:
    if kind.name == "memory":
        return [
            {
                **summary.settings,
                **{column: summary.figures.get(column) for column in kind.figures},
                "status": "ok" if summary.is_ok else next(iter(summary.statuses)),
                "message": next((text for _, text in summary.messages), None),
            }
            for summary in summarize(rows)
        ]
    if kind.name == "layers":
        return list(_highest(rows, kind.setting_key).values())
    return of_network(rows)


def _highest(rows: Sequence[Row], key: Sequence[str]) -> Mapping[tuple[object, ...], Row]:
    """Of each configuration the moment at which it holds the most."""
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        name = tuple(row[column] for column in key)
        before = found.get(name)
        peak = number(row, "layer_peak_bytes") or 0
        if before is None or peak > (number(before, "layer_peak_bytes") or 0):
            found[name] = row
    return found


def name_of(row: Row) -> str:
    """The method of a row in words, of any table: a law is across the knob that it is fitted to."""
    return method_words({**dict.fromkeys(KNOBS), **row})


def first_methods(rows: Sequence[Row], most: int) -> list[Row]:
    """The rows of the first ``most`` methods with their knobs."""
    names = list(dict.fromkeys(name_of(row) for row in rows))
    kept = set(names[:most])
    return list(rows) if len(names) <= most else [row for row in rows if name_of(row) in kept]
