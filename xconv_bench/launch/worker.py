"""The inside of a measurement's process."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from xconv_bench.errors import BenchError, Diverged, NothingFits, Unsupported, UsageError
from xconv_bench.events import Work

_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class End:
    """The end of the work: ``status`` as rows have it, or ``"usage"`` for a user's mistake."""

    status: str
    message: str = ""


def run_worker(work: Work, pipe: Connection, environment: Mapping[str, str]) -> None:
    """Do the work and send each of its events, then its end.

    ``environment`` holds the variables that the process has beside the fork server's.
    """
    _prepare_process(pipe)
    _take(environment)
    try:
        for event in work():
            pipe.send(event)
        end = End("ok")
    except BaseException as error:
        end = explain(error)
    # Before the parent knows that it may end this process.
    with suppress(OSError):  # a full disk
        sys.stderr.flush()
    with suppress(OSError):  # the parent is gone: nobody is left to tell
        pipe.send(end)
    # Processes that the user's model left running must not keep this one alive.
    os._exit(0)


def _prepare_process(pipe: Connection) -> None:
    # Prints of a model are no result of ours, and must not wait in a buffer for a sudden end.
    os.dup2(sys.stderr.fileno(), 1)
    sys.stdout = sys.stderr
    # How this process was started is no choice of the user's: theirs is still to be made.
    multiprocessing.set_start_method(None, force=True)
    # Where memory runs out, the kernel is to end the measurement and nothing else.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    threading.Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()


def _take(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    if _THREADS in environment:  # read by torch at its import, which is over
        import torch

        torch.set_num_threads(int(environment[_THREADS]))


def _end_with_parent(pipe: Connection) -> None:
    """Wait until the pipe is readable, which tells that the parent is gone; then end."""
    with suppress(EOFError, OSError):
        pipe.poll(None)
    os._exit(1)


def explain(error: BaseException) -> End:
    """Return the end of work that raised ``error``."""
    from xconv_bench.measurement.failures import is_out_of_memory
    from xconv_bench.models.messages import reason

    if isinstance(error, UsageError):
        return End("usage", str(error))
    if isinstance(error, Unsupported):
        return End("unsupported", str(error))
    if isinstance(error, Diverged):
        return End("diverged", str(error))
    if isinstance(error, NothingFits):
        return End("oom", str(error))
    if isinstance(error, BenchError):
        return End("error", str(error))
    return End("oom" if is_out_of_memory(error) else "error", reason(error))
