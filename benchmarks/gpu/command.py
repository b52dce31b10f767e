"""A command of a part: what to run, and how long it may be expected to take."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MEASUREMENT_SECONDS = 120
"""Seconds after which ``xconv-bench`` gives up a measurement, in case it hangs."""


@dataclass(frozen=True)
class Command:
    """Words behind the interpreter, the seconds it is expected to take, and its environment."""

    words: tuple[str, ...]
    seconds: float
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return shlex.join([*variables, "python", *self.words])


def bench(
    output: Path,
    seconds: float,
    *words: str,
    timeout: int = MEASUREMENT_SECONDS,
    environment: Mapping[str, str] | None = None,
) -> Command:
    """Return a command of ``xconv-bench`` on the GPU, with its run in ``output``."""
    end = ("--device", "cuda", "--timeout", str(timeout), "--output", str(output))
    return Command(("-m", "xconv_bench", *words, *end), seconds, environment or {})
