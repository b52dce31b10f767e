"""Event files of TensorBoard, an optional dependency: a folder a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.tracking.destination import Destination


class TensorboardFiles(Destination):
    """Writes ``FOLDER/EXPERIMENT/RUN``: scalars by epoch, and parameters for the tab HParams."""

    form = "tensorboard:FOLDER"

    @classmethod
    def check(cls) -> None:
        """Import TensorBoard's writer. Raises UsageError where it is not installed."""
        try:
            import torch.utils.tensorboard  # noqa: F401
        except ImportError as error:
            raise UsageError(
                "--log tensorboard:FOLDER needs the package tensorboard: "
                "pip install 'xconv-bench[tensorboard]'"
            ) from error

    def __init__(self, where: str, experiment: str) -> None:
        self._folder = Path(where).expanduser() / experiment
        self._writers: dict[str, Any] = {}
        self._parameters: dict[str, dict[str, Any]] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(f"--log tensorboard:{where}: {error.strerror}") from error

    def begin(self, run: str, parameters: Mapping[str, Any]) -> None:
        """Begin an event file in the folder of the run."""
        from torch.utils.tensorboard import SummaryWriter

        self._writers[run] = SummaryWriter(str(self._folder / run))
        self._parameters[run] = dict(parameters)

    def log(self, run: str, metrics: Mapping[str, float], step: int) -> None:
        """Write a scalar for each metric."""
        for name, value in metrics.items():
            self._writers[run].add_scalar(name, value, step)
        self._writers[run].flush()

    def end(
        self, run: str, metrics: Mapping[str, float], step: int, status: str, note: str
    ) -> None:
        """Write the last scalars, those of the tab HParams among them, and the texts."""
        writer = self._writers.pop(run)
        parameters = self._parameters.pop(run)
        writer.add_hparams(parameters, dict(metrics), run_name=".", global_step=step)
        writer.add_text("status", status, step)
        if note:
            writer.add_text("message", note, step)
        writer.close()

    def close(self) -> None:
        """Close the files of runs that were interrupted: what they hold can be read."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
