"""Outcomes of work that is done in the process of the test."""

import contextlib
import pickle
import sys

from xconv_bench.configuration import SIMULATED
from xconv_bench.errors import UsageError
from xconv_bench.events import Progress, Rows, Work
from xconv_bench.launch import Listener, Outcome
from xconv_bench.launch.job import unheard
from xconv_bench.launch.worker import explain


def outcome_of(work: Work) -> Outcome:
    """Do the work and return what came of it. Raises what the work raises."""
    outcome = Outcome()
    for event in work():
        outcome.add(event)
    return outcome


def progress_of(work: Work) -> list[Progress]:
    """Do the work and return the progress that it told."""
    return [event for event in work() if isinstance(event, Progress)]


class HereRunner:
    """Does work in this process, and tells of it as a launcher does: in place of its ``run``."""

    def run(
        self,
        work: Work,
        listener: Listener = unheard,
        device: str = SIMULATED,
        timeout_seconds: float | None = None,
    ) -> Outcome:
        """Do a copy of the work, as a process of its own would get it."""
        outcome = Outcome()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                for event in pickle.loads(pickle.dumps(work))():
                    if isinstance(event, Progress | Rows):
                        listener(event)
                    outcome.add(event)
        except Exception as error:
            end = explain(error)
            if end.status == "usage":
                raise UsageError(end.message) from error
            return outcome.end(end.status, end.message)
        return outcome
