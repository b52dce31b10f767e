"""Outcomes of work that is done in the process of the test."""

from xconv_bench.events import Progress, Work
from xconv_bench.launch import Outcome


def outcome_of(work: Work) -> Outcome:
    """Do the work and return what came of it. Raises what the work raises."""
    outcome = Outcome()
    for event in work():
        outcome.add(event)
    return outcome


def progress_of(work: Work) -> list[Progress]:
    """Do the work and return the progress that it told."""
    return [event for event in work() if isinstance(event, Progress)]
