"""Outcomes of work that is done in the process of the test."""

import contextlib
import pickle
import sys
from typing import Any

from xconv_bench.events import Progress, Work
from xconv_bench.launch import Launcher, Outcome
from xconv_bench.launch.handing import Here


def outcome_of(work: Work) -> Outcome:
    """Do the work and return what came of it. Raises what the work raises."""
    outcome = Outcome()
    for event in work():
        outcome.add(event)
    return outcome


def progress_of(work: Work) -> list[Progress]:
    """Do the work and return the progress that it told."""
    return [event for event in work() if isinstance(event, Progress)]


def run_here(launcher: Launcher, work: Work, *arguments: Any, **options: Any) -> Outcome:
    """Do a copy of the work in this process, as one of its own would get it.

    It stands in place of ``Launcher.run``.
    """
    with contextlib.redirect_stdout(sys.stderr):
        return Here(()).run(pickle.loads(pickle.dumps(work)), *arguments, **options)
