"""Check what commands say of simulations that a real step does not confirm, or that die."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_networks import name

from xconv_bench.meters.waiting import REMARK

Command = Callable[..., Any]
SMALL = ["--method", "exact", "--image-size", "12"]


def run(command: Command, folder: Path, *arguments: str) -> tuple[Any, pd.DataFrame]:
    finished = command(*arguments, *SMALL, "--output", folder)
    return finished, pd.read_csv(folder / f"{arguments[0].replace('-', '_')}.csv")


@pytest.mark.parametrize(
    "arguments",
    [
        ["memory", "--simulate", "--batch-size", "4"],
        ["memory", "--device", "cpu", "--batch-size", "4", "--steps", "1"],
        ["layers", "--batch-size", "4"],
        ["max-batch", "--memory-budget", "1MiB"],
    ],
    ids=["memory", "memory of the CPU", "layers", "max-batch"],
)
def test_a_wrong_simulation_is_doubtful(
    command: Command, tmp_path: Path, arguments: list[str]
) -> None:
    finished, table = run(command, tmp_path / "a", *arguments, "--model", name("keeps_all"))
    assert set(table.status) == {"doubtful"}
    assert finished.code == int("cpu" not in arguments)  # what is live was measured all the same
    assert "xconv_bench_tests.keep_all allocates" in table.message.dropna().iloc[0]
    assert "doubtful" in finished.output and "keep_all" in finished.output
    assert "doubtful" in finished.errors
    unchecked = [*arguments, "--model", name("keeps_all"), "--no-cross-check"]
    finished, table = run(command, tmp_path / "b", *unchecked)
    assert finished.code == 0 and set(table.status) == {"ok"}
    assert table.message.dropna().isin([REMARK]).all()  # beside other work


def test_a_right_simulation_is_not(command: Command, tmp_path: Path) -> None:
    arguments = ["memory", "--simulate", "--batch-size", "4", "--model", name("recurrent")]
    finished, table = run(command, tmp_path, *arguments)
    assert finished.code == 0 and list(table.status) == ["ok"]
    assert table.message.dropna().isin([REMARK]).all()  # beside other work


def test_a_simulation_that_dies_is_a_row(command: Command, tmp_path: Path) -> None:
    arguments = ["--batch-size", "4", "--model", name("dies_simulated")]
    finished, table = run(command, tmp_path / "a", "memory", "--simulate", *arguments)
    assert finished.code == 1
    assert list(table.status) == ["error"]
    assert list(table.message) == ["the process died of SIGSEGV"]
    real = ["memory", "--device", "cpu", "--steps", "1", *arguments]
    finished, table = run(command, tmp_path / "b", *real)
    assert finished.code == 0 and list(table.status) == ["ok"]
    assert "simulated: the process died of SIGSEGV" in table.message[0]
    assert table.live_peak_bytes[0] > 0 and table.simulated_peak_bytes.isna().all()


def test_a_compiled_network_is_unsupported_where_it_is_simulated(
    command: Command, tmp_path: Path
) -> None:
    arguments = ["layers", "--batch-size", "4", "--model", name("compiled")]
    _, table = run(command, tmp_path, *arguments)
    assert list(table.status) == ["unsupported"]
    assert "compiled networks cannot be simulated" in table.message[0]
