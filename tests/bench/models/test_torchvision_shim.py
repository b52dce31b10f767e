"""torchvision can be imported, with its compiled extension or without.

Each case runs in an interpreter of its own, since what is registered with torch stays there.
"""

import subprocess
import sys

OPEN_THE_DOOR = """
from xconv_bench.models.torchvision_shim import _declare_operators, import_torchvision
torchvision = import_torchvision()
assert torchvision is import_torchvision()
"""

PRETEND_THE_EXTENSION_LOADED = """
import torch
library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""

BREAK_TORCHVISION = """
import sys
sys.modules["torchvision.models"] = None
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def test_models_can_be_used_after_an_import_that_may_have_failed() -> None:
    attempt = "try:\n    import torchvision\nexcept Exception:\n    pass\n"
    finished = run(f"{attempt}{OPEN_THE_DOOR}print(torchvision.models.resnet18.__name__)")
    assert (finished.returncode, finished.stdout) == (0, "resnet18\n"), finished.stderr


def test_nothing_is_declared_beside_a_real_extension() -> None:
    finished = run(
        f"{PRETEND_THE_EXTENSION_LOADED}{OPEN_THE_DOOR}print(_declare_operators.cache_info().misses)"
    )
    assert (finished.returncode, finished.stdout) == (0, "0\n"), finished.stderr


def test_another_failure_is_told_in_one_line() -> None:
    finished = run(f"{BREAK_TORCHVISION}{OPEN_THE_DOOR}")
    assert "BenchError: torchvision cannot be imported: ModuleNotFoundError" in finished.stderr
