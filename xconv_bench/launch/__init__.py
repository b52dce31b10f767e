"""Processes for measurements: one of their own, beside others or on another machine."""

from xconv_bench.launch.job import Job, Listener, Runner
from xconv_bench.launch.outcome import Outcome
from xconv_bench.launch.process import Launcher

__all__ = ["Job", "Launcher", "Listener", "Outcome", "Runner"]
