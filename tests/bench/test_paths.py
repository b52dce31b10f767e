"""A path that nobody can look at is one line, wherever a command takes a path."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_directories import MEMORY, make_run

from xconv_bench.errors import UsageError
from xconv_bench.paths import is_file, is_folder, is_there

TOO_LONG = "x" * 300
"""A name that no file can have: to look at it fails, as in a folder of somebody else."""


def test_what_lies_at_a_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = [tmp_path, tmp_path / "file", tmp_path / "nothing", tmp_path / "file/below"]
    assert [is_folder(path) for path in places] == [True, False, False, False]
    assert [is_file(path) for path in places] == [False, True, False, False]
    assert [is_there(path) for path in places] == [True, True, False, False]


@pytest.mark.parametrize(
    ("name", "said"),
    [(TOO_LONG, "xxx cannot be read: File name too long; give another path"),
     ("a\0b", "'a\\x00b' cannot be the name of a file")],
)  # fmt: skip
def test_a_path_that_cannot_be_looked_at(name: str, said: str) -> None:
    for look in (is_file, is_folder, is_there):
        with pytest.raises(UsageError) as refused:
            look(Path(name))
        assert str(refused.value).endswith(said)


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", TOO_LONG],
        ["check", "RUN", "--profile", TOO_LONG],
        ["check", "RUN", "--limit", "memory: saved_bytes <= 1 * baseline", "--baseline", TOO_LONG],
        ["run", TOO_LONG],
        ["run", "--resume", TOO_LONG],
        ["report", "RUN", "--output", TOO_LONG],
        ["report", "RUN", "--output", f"{TOO_LONG}.html"],
        ["report", "RUN", "--format", "svg", "--output", TOO_LONG],
        ["error", "--data", "imagefolder", "--data-dir", TOO_LONG],
    ],
    ids=lambda words: " ".join(word[:12] for word in words),
)
def test_commands_say_so(command: Callable[..., Any], tmp_path: Path, arguments: list[str]) -> None:
    run = make_run(tmp_path / "run", memory=MEMORY)
    finished = command(*(run if word == "RUN" else word for word in arguments))
    (line,) = finished.errors.splitlines()
    assert line.startswith("xconv-bench: ") and "cannot be read: File name too long" in line
    assert finished.code == 2
