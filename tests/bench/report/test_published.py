"""Published figures stand beside what was measured in the same setting only."""

from typing import Any

import pytest

from xconv_bench.configuration import MaxBatchConfiguration
from xconv_bench.report.published import published_max_batch

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
