"""Objectives of networks that stand alone: the form of a target, and the loss."""

from xconv_bench.objectives.objective import Objective

__all__ = ["Objective"]
