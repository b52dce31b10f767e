"""``xconv-bench data`` lists all sources, with what each needs."""

from collections.abc import Callable
from typing import Any

from xconv_bench.data.sources import SOURCES

Command = Callable[..., Any]


def test_every_source_is_one_line(command: Command) -> None:
    finished = command("data")
    assert finished.code == 0 and finished.errors == ""
    heading, *lines = finished.output.splitlines()
    assert heading.split("  ")[0] == "data"
    for line, source in zip(lines, SOURCES.values(), strict=True):
        assert line.startswith(f"{source.name} ")
        assert source.what in line and line.rstrip().endswith(source.needs)


def test_what_needs_a_folder_says_so(command: Command) -> None:
    needing = {line.split()[0] for line in command("data").output.splitlines() if "-dir" in line}
    assert needing == {"mnist", "cifar10", "imagefolder"}
