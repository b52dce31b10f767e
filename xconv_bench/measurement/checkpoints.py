"""Checkpoints of trainings: everything that decides the next step, in one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xconv_bench.errors import BenchError
from xconv_bench.models.messages import reason


class Checkpoint:
    """Weights, buffers, optimizer, random numbers, and the rows so far, at the end of an epoch.

    A kill leaves the file of the epoch before or that of this one.
    """

    def __init__(self, path: Path, model: nn.Module, optimizer: Any) -> None:
        self._path = path
        self._model = model
        self._optimizer = optimizer

    def save(self, rows: list[dict[str, Any]]) -> None:
        """Put the present state in the place of the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.new")
        state = {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
            "rows": rows,
        }
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def restore(self) -> list[dict[str, Any]] | None:
        """Go back to the state of the file, and return its rows; None where there is no file.

        Raises BenchError for a file that is none.
        """
        if not self._path.exists():
            return None
        try:
            state = torch.load(self._path, weights_only=True, map_location="cpu")
            self._model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["rng"])
            if state["cuda_rng"]:
                torch.cuda.set_rng_state_all(state["cuda_rng"])
            rows: list[dict[str, Any]] = state["rows"]
        except Exception as error:
            raise BenchError(
                f"{self._path} is no checkpoint of this training ({reason(error)}): remove it to "
                "begin anew"
            ) from error
        return rows
