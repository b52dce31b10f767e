"""The directory of a run: where it lies, what lies in it, and one run at a time in it."""

import fcntl
import itertools
import os
import re
from datetime import datetime
from pathlib import Path
from types import TracebackType

from xconv_bench.errors import UsageError
from xconv_bench.naming import model_words
from xconv_bench.results.files import explained
from xconv_bench.results.schema import TABLES
from xconv_bench.results.table import Table

RUNS = Path("runs")
"""Return the folder of the runs without --output, below the current directory."""

_LONGEST_MODEL_NAME = 80


class RunDirectory:
    """A directory that this process alone writes to, until ``close`` or its death.

    ``output`` is used as it is, made where it does not exist; what it holds is kept, so that a
    run can be resumed. Without it a new ``runs/<experiment>-<model>-<time>`` is made. ``option`` is
    the one that the user chose it with.

    Raises UsageError where the directory cannot be made or written to, or another run holds it.
    """

    def __init__(
        self, experiment: str, model: str, output: Path | None = None, option: str = "--output"
    ) -> None:
        self.path = _make(experiment, model) if output is None else output
        self.option = option
        with explained(self.path, UsageError, option):
            self.path.mkdir(parents=True, exist_ok=True)
            # Closed on exec, so that a worker that outlives this process does not keep the lock.
            self._lock = os.open(self.path / ".lock", os.O_WRONLY | os.O_CREAT, 0o666)
            self._take_lock()

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the next run have the directory."""
        os.close(self._lock)

    def table(self, name: str) -> Table:
        """Return the table ``name``, one of ``TABLES``; there is no file before its first row."""
        return Table(self.path / f"{name}.csv", TABLES[name])

    @property
    def environment(self) -> Path:
        """Return the path of the record of the environment."""
        return self.path / "environment.json"

    @property
    def plan(self) -> Path:
        """Return the path of the plan that ``advise`` works out."""
        return self.path / "plan.toml"

    @property
    def weights(self) -> Path:
        """Return the folder of starting weights; its first writer makes it."""
        return self.path / "weights"

    @property
    def checkpoints(self) -> Path:
        """Return the folder of interrupted trainings; its first writer makes it."""
        return self.path / "checkpoints"

    @property
    def pictures(self) -> Path:
        """Return the folder of what trained networks make; its first writer makes it."""
        return self.path / "pictures"

    @property
    def snapshots(self) -> Path:
        """Return the folder of memory over time; its first writer makes it."""
        return self.path / "snapshots"

    @property
    def plots(self) -> Path:
        """Return the folder of pictures; its first writer makes it."""
        return self.path / "plots"

    def _take_lock(self) -> None:
        try:
            # The kernel releases it when the process ends, however it ends.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise UsageError(
                f"{self.path} is in use by another run: "
                f"wait for its end or choose another {self.option}"
            ) from error


def _make(experiment: str, model: str) -> Path:
    """Make a directory that did not exist before."""
    time = datetime.now().strftime("%Y%m%d-%H%M%S")
    name = f"{experiment}-{_file_name(model_words(model))}-{time}"
    # Two runs may start in the same second.
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    with explained(RUNS, UsageError):
        RUNS.mkdir(exist_ok=True)
        return next(RUNS / name for name in names if _is_made(RUNS / name))


def _is_made(path: Path) -> bool:
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def _file_name(model: str) -> str:
    """Return ``timm-vit-tiny`` for ``timm:vit/tiny``: file systems and shells take it."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", model)[:_LONGEST_MODEL_NAME]
    return name.strip("-.") or "model"
