"""The profiles that come with the project, in a checkout and in an installed package."""

from pathlib import Path

import pytest

from xconv_bench.cli.measuring import parsers
from xconv_bench.cli.planning import _refuse_unused, _with_settings
from xconv_bench.errors import UsageError
from xconv_bench.profiles import find_profile, read_profile, shipped, shipped_profiles

PROFILES = Path(__file__).resolve().parents[3] / "profiles"


def test_all_of_them_are_found_by_name() -> None:
    names = {path.relative_to(PROFILES).with_suffix("").as_posix()
             for path in PROFILES.rglob("*.toml")}  # fmt: skip
    assert names == set(shipped_profiles())
    assert {"quick", "ci", "gpu", "paper/max_batch"} <= names


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
def test_every_option_is_one_that_the_command_takes(name: str) -> None:
    profile = read_profile(find_profile(name))
    commands = parsers()
    for each in profile.experiments:
        command, *words = _with_settings(profile, each, commands).words
        commands[command].make_context(command, words)
    _refuse_unused(profile, commands)
    assert profile.cost, "say what it costs"
    if profile.baseline is not None:
        assert profile.baseline.is_dir()


def test_a_wheel_has_them_beside_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper/mine.toml").touch()
    monkeypatch.setattr(shipped, "_INSTALLED", tmp_path)
    assert shipped_profiles() == {"paper/mine": tmp_path / "paper/mine.toml"}


def test_a_path_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick").touch()
    assert find_profile("quick") == Path("quick")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("quik", "profile 'quik' is unknown: did you mean 'quick'?"),
        ("mine.toml", "profile mine.toml does not exist: expected a TOML file, or the name"),
        (".", r"profile \. is a folder"),
    ],
)
def test_names_of_nothing(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_profile(name)
