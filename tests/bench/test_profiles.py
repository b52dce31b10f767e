"""Profiles become command lines, and what is no profile is said in one line."""

from pathlib import Path

import pytest

from xconv_bench.errors import UsageError
from xconv_bench.profiles import read_profile

PROFILES = Path(__file__).resolve().parents[2] / "profiles"


def test_options_become_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        """
        title = "Mine"
        [[run]]
        command = "memory"
        model = "resnet18"
        probes = [8, 32]
        keep = 0.1
        simulate = true
        verify = false
        [[run]]
        command = "models"
        """
    )
    profile = read_profile(path)
    assert profile.title == "Mine"
    assert profile.commands == (
        ("memory", "--model", "resnet18", "--probes", "8", "--probes", "32", "--keep", "0.1",
         "--simulate"),
        ("models",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("title = ", "is not TOML"),
        ("title = 'x'", r"has no \[\[run\]\]"),
        ("run = 3", r"has no \[\[run\]\]"),
        ("runs = 3", "'runs' is unknown"),
        ("[[run]]\nmodel = 'x'", "has no command"),
        ("[[run]]\ncommand = 'memory'\noutput = 'x'", "output is given to xconv-bench run"),
    ],
)
def test_what_is_no_profile(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=message):
        read_profile(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not TOML"):
        read_profile(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_profile(tmp_path)


@pytest.mark.parametrize(
    "path", sorted(PROFILES.rglob("*.toml")), ids=lambda path: str(path.relative_to(PROFILES))
)
def test_the_profiles_that_come_with_the_project(path: Path) -> None:
    """Every option of every command is one that the command takes."""
    from typer.main import get_command

    from xconv_bench.cli import app

    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name, *words in read_profile(path).commands:
        commands[name].make_context(name, words)
