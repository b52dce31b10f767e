"""The columns of ``training.csv``: a row an epoch, 0 before the first step."""

from xconv_bench.configuration import TrainingConfiguration
from xconv_bench.results.schema import shared
from xconv_bench.results.schema.column import Better, Column, Holds, Schema, Unit
from xconv_bench.results.schema.settings import settings


def _measure(
    name: str, heading: str, meaning: str, better: Better = Better.MORE, unit: Unit | None = None
) -> Column:
    return Column(name, float, heading, meaning, unit, better, Holds.OFF_GPUS)


_MEASURES = (
    _measure("accuracy", "accuracy", "part of the test samples that is classified rightly"),
    _measure(
        "frechet_distance", "Fréchet distance",
        "distance between the features of generated and of real samples", Better.LESS,
    ),
    _measure(
        "classifier_agreement", "classifier agreement",
        "part of the generated samples in which a classifier sees what was asked for",
    ),
    _measure(
        "psnr_db", "PSNR (dB)", "peak signal-to-noise ratio of restored pictures",
        unit=Unit.DECIBELS,
    ),
    _measure("ssim", "SSIM", "structural similarity of restored pictures"),
    _measure("dice", "Dice", "overlap of segmented regions: 2 |A ∩ B| / (|A| + |B|)"),
    _measure("iou", "IoU", "overlap of segmented regions: |A ∩ B| / |A ∪ B|"),
)  # fmt: skip
MEASURES = tuple(measure.name for measure in _MEASURES)
"""The columns that tasks are judged by; a task has one or two of them."""

GAP = Column(
    "gap", str, "gap to exact",
    "by how much the first measure is better than exact's, mean over seeds, paired by seed, ± half "
    "of its 95 % interval (Student's t); below 0 it is worse",
)  # fmt: skip
"""Reports work it out: it is no column of the table."""

TRAINING = Schema(
    "training",
    "Training with each method",
    "The task's own measure after the last epoch, mean over seeds, of networks that began "
    "with the same weights and saw the same batches, seed by seed; a gap below 0 is worse "
    "than exact, ± half of its 95 % interval. The curves show every epoch.",
    (
        *settings(TrainingConfiguration),
        Column("epoch", int, "epoch", "number of the epoch, 0 before the first step"),
    ),
    (
        *shared.OUTCOME,
        Column(
            "loss", float, "loss", "mean loss over the steps of the epoch",
            None, Better.LESS, Holds.OFF_GPUS,
        ),
        *_MEASURES,
        Column(
            "epoch_seconds", float, "epoch time", "time of the epoch's steps, without evaluation",
            Unit.SECONDS, Better.LESS, Holds.ON_ITS_MACHINE,
        ),
        shared.CPU_WAIT,
        # Peaks are of a step, and in the row of the last epoch.
        shared.SIMULATED_PEAK,
        shared.ALLOCATED_PEAK,
        *shared.SYSTEM_PEAKS,
    ),
    main=(
        *MEASURES, GAP.name, "epoch_seconds", shared.ALLOCATED_PEAK.name,
        shared.SIMULATED_PEAK.name,
    ),
    inner=("epoch", "seed", "batch_size", "learning_rate"),
)  # fmt: skip
