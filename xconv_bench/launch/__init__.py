"""Where a measurement runs: in a process of its own."""

from xconv_bench.launch.outcome import Outcome
from xconv_bench.launch.process import Launcher

__all__ = ["Launcher", "Outcome"]
