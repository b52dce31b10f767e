"""Runs of MLflow, an optional dependency: on a server, or in a data base on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from xconv_bench.errors import BenchError, UsageError
from xconv_bench.models.messages import reason
from xconv_bench.tracking.destination import Destination

_EXPERIMENT = "xconv-bench {}"
_FINE = ("ok", "doubtful")
_USUAL = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing is told to anybody whom the user did not name
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # measurements wait for it
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Settings of MLflow, where the user has no others in the environment."""


class MlflowRuns(Destination):
    """Logs to an MLflow experiment ``xconv-bench EXPERIMENT``, a run a measurement."""

    form = "mlflow:URI, such as mlflow:http://127.0.0.1:5000 or mlflow:sqlite:///mlflow.db"

    @classmethod
    def check(cls) -> None:
        """Import MLflow. Raises UsageError where it is not installed."""
        for name, value in _USUAL.items():
            os.environ.setdefault(name, value)
        try:
            import mlflow  # noqa: F401
        except ImportError as error:
            raise UsageError(
                "--log mlflow:URI needs the package mlflow: pip install 'xconv-bench[mlflow]'"
            ) from error

    def __init__(self, where: str, experiment: str) -> None:
        from mlflow.tracking import MlflowClient

        self._runs: dict[str, str] = {}
        name = _EXPERIMENT.format(experiment)
        try:
            self._client = MlflowClient(tracking_uri=where)
            found = self._client.get_experiment_by_name(name)
            self._experiment = (
                found.experiment_id if found else self._client.create_experiment(name)
            )
        except Exception as error:  # one of its own, of a data base, of a connection
            raise BenchError(f"--log mlflow:{where}: {reason(error)}") from error

    def begin(self, run: str, parameters: Mapping[str, Any]) -> None:
        """Begin a run of MLflow."""
        from mlflow.entities import Param

        made = self._client.create_run(self._experiment, run_name=run)
        self._runs[run] = made.info.run_id
        params = [Param(name, str(value)) for name, value in parameters.items()]
        self._client.log_batch(made.info.run_id, params=params)

    def log(self, run: str, metrics: Mapping[str, float], step: int) -> None:
        """Add a metric for each figure."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        found = [Metric(name, value, now, step) for name, value in metrics.items()]
        self._client.log_batch(self._runs[run], metrics=found)

    def end(
        self, run: str, metrics: Mapping[str, float], step: int, status: str, note: str
    ) -> None:
        """Add the last metrics and end the run: FINISHED with figures, else FAILED."""
        self.log(run, metrics, step)
        self._client.set_tag(self._runs[run], "status", status)
        if note:
            self._client.set_tag(self._runs[run], "mlflow.note.content", note)
        self._client.set_terminated(
            self._runs.pop(run), status="FINISHED" if status in _FINE else "FAILED"
        )

    def close(self) -> None:
        """End the runs that were interrupted as KILLED."""
        for run in self._runs.values():
            self._client.set_terminated(run, status="KILLED")
        self._runs.clear()
