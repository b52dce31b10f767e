"""Published figures stand beside what was measured in the same setting only."""

from typing import Any

import pytest

from xconv_bench.configuration import MaxBatchConfiguration, TrainingConfiguration
from xconv_bench.report.published import published_accuracy, published_max_batch

EXACT = MaxBatchConfiguration("squeezenet1_0", image_size=512, device="simulated").key
PROBED = {**EXACT, "method": "xconv", "scheme": "independent", "compress": "conv,relu"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (EXACT, 78),
        ({**PROBED, "probes": 16}, 122),
        ({**PROBED, "probes": 128, "image_size": 128}, 1806),
        ({**PROBED, "probes": 8}, None),
        ({**PROBED, "probes": 16, "scheme": "multi"}, None),
        ({**EXACT, "method": "checkpoint"}, None),
        ({**EXACT, "image_size": 224}, None),
        ({**EXACT, "dtype": "bfloat16"}, None),
        ({**EXACT, "headroom": 1.0}, None),
        ({**EXACT, "model": "resnet18"}, None),
    ],
)
def test_what_was_published(row: dict[str, Any], expected: int | None) -> None:
    assert published_max_batch(row) == expected


TRAINED = TrainingConfiguration("paper/mnist-2021", learning_rate=0.003, epochs=20).key
PROBED_TRAINED = {**TRAINED, "method": "xconv", "scheme": "independent", "first": "exact"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (TRAINED, 0.9922),
        ({**PROBED_TRAINED, "probes": 8, "batch_size": 1024}, 0.9625),
        ({**PROBED_TRAINED, "probes": 16}, None),
        ({**PROBED_TRAINED, "probes": 8, "scheme": "multi"}, None),
        ({**PROBED_TRAINED, "probes": 8, "first": "as the others"}, None),
        ({**TRAINED, "epochs": 15}, None),
        ({**TRAINED, "learning_rate": 0.1}, None),
        ({**TRAINED, "learning_rate": None}, None),
        ({**TRAINED, "model": "paper/mnist"}, None),
        ({**TRAINED, "batch_size": 48}, None),
        ({**TRAINED, "method": "quantized"}, None),
    ],
)
def test_accuracies_that_were_published(row: dict[str, Any], expected: float | None) -> None:
    assert published_accuracy(row) == expected
