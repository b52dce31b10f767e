"""Profiles are read whole and right, and what is no profile is said in one line."""

from pathlib import Path

import pytest

from xconv_bench.errors import UsageError
from xconv_bench.profiles import read_profile

EXPERIMENT = "[[experiment]]\ncommand = 'memory'\n"


def write(folder: Path, content: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(content)
    return path


def test_a_file_as_editors_save_it(tmp_path: Path) -> None:
    """With a mark at its beginning and line ends of two characters; its copy has neither."""
    path = tmp_path / "mine.toml"
    text = f'title = "Größe"\n{EXPERIMENT}'
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    profile = read_profile(path)
    assert (profile.title, profile.text) == ("Größe", text)


@pytest.mark.parametrize(
    "content",
    [b"a = " + b"9" * 5000, b"a = " + b"[" * 100_000, "title = 'x'".encode("utf-16"), b"\xff"],
)
def test_what_is_no_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"mine.toml is not TOML: ") as raised:
        read_profile(path)
    assert "\n" not in str(raised.value) and "codec" not in str(raised.value)
    good = write(tmp_path, f"title = 'a'\n{EXPERIMENT}")
    absurd = content.partition(b" = ")[2].decode("latin-1")
    assert read_profile(good, [f"probes={absurd}"]).settings["probes"] == absurd


def test_what_a_profile_says(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        title = "Mine"
        about = "What it shows."
        cost = "a minute"
        baseline = "kept/here"
        limits = ["memory/resnet18/xconv: saved_bytes <= 0.7 * exact"]

        [settings]
        model = "resnet18"

        [[experiment]]
        command = "memory"
        probes = [8, 32]
        keep = 0.1
        simulate = true
        verify = false

        [[experiment]]
        command = "layers"

        [[threshold]]
        experiment = "max-batch"
        method = "xconv"
        probes = 8
        metric = "max_batch_size"
        min = 70
        max_regression = "2%"
        """,
    )
    profile = read_profile(path)
    assert (profile.title, profile.about, profile.cost) == ("Mine", "What it shows.", "a minute")
    assert profile.baseline == tmp_path / "kept/here"
    assert profile.settings == {"model": "resnet18"}
    first, second = profile.experiments
    assert first.words == ["memory", "--probes", "8", "--probes", "32", "--keep", "0.1",
                           "--simulate"]  # fmt: skip
    assert second.words == ["layers"]
    assert [str(limit) for limit in profile.limits] == [
        "memory/resnet18/xconv: saved_bytes <= 0.7 * exact",
        "max_batch/*/xconv probes=8: max_batch_size >= 70",
        "max_batch/*/xconv probes=8: max_batch_size >= 0.98 * baseline",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("title = ", "is not TOML: "),
        ("title = 'x'", "experiment is missing: expected [[experiment]], one or more"),
        (
            "title = 'x'\nexperiment = []",
            "experiment is empty: expected one or more [[experiment]]",
        ),
        ("title = 'x'\nexperiment = 3", "experiment is 3: expected [[experiment]], one or more"),
        (EXPERIMENT, "title is missing: expected a string"),
        ("title = 3\n" + EXPERIMENT, "title is 3: expected a string"),
        ("titel = 'x'\n" + EXPERIMENT, "did you mean 'title'?"),
        ("title = 'x'\n[[experiment]]\nmodel = 'x'", "experiment 1: command is missing: "),
        ("title = 'x'\n[[experiment]]\ncommand = 3", "experiment 1: command is 3: expected a com"),
        (
            "title = 'x'\n" + EXPERIMENT + "probes = [[1]]",
            "experiment 1: probes is [[1]]: expected",
        ),
        ("title = 'x'\n" + EXPERIMENT + "probes = {a = 1}", "experiment 1: probes is {'a': 1}: "),
        ("title = 'x'\n" + EXPERIMENT + "probes = []", "experiment 1 (memory): probes is empty: "),
        ("title = 'x'\n" + EXPERIMENT + "output = 'x'", "output is given to xconv-bench run"),
        ("title = 'x'\nsettings = 3\n" + EXPERIMENT, "settings is 3: expected a table of options"),
        ("title = 'x'\nlimits = 3\n" + EXPERIMENT, "limits is 3: expected a list of strings"),
        ("title = 'x'\nlimits = ['memory']\n" + EXPERIMENT, "limit 'memory': expected"),
        (
            "title = 'x'\n" + EXPERIMENT + "[[threshold]]\nmetric = 'saved_bytes'\nmax = 3",
            "threshold 1: experiment is missing: expected the name of a table",
        ),
        (
            "title = 'x'\n"
            + EXPERIMENT
            + "[[threshold]]\nexperiment = 'memory'\nmetric = 'saved_bytes'\nmax = '3'",
            "threshold 1: max is '3': expected a number",
        ),
        (
            "title = 'x'\n"
            + EXPERIMENT
            + "[[threshold]]\nexperiment = 'memory'\nmetric = 'saved_bytes'",
            "the threshold of saved_bytes demands nothing",
        ),
    ],
)
def test_what_is_no_profile(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(UsageError) as raised:
        read_profile(path)
    assert str(raised.value).startswith(f"{path}")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not TOML"):
        read_profile(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_profile(tmp_path)


PROFILE = """\
# Why.
title = "Mine"

[settings]
model = "resnet18"

[[experiment]]
command = "memory"
probes = 8  # a few

[[experiment]]
command = "layers"
"""


@pytest.mark.parametrize(
    ("override", "settings", "first", "second"),
    [
        ("probes=[8, 32]", {"model": "resnet18", "probes": [8, 32]}, {}, {}),
        ("model=squeezenet1_0", {"model": "squeezenet1_0"}, {"probes": 8}, {}),
        ("memory.probes=4", {"model": "resnet18"}, {"probes": 4}, {}),
        ("layers.model = alexnet", {"model": "resnet18"}, {"probes": 8}, {"model": "alexnet"}),
        ("memory.simulate=true", {"model": "resnet18"}, {"probes": 8, "simulate": True}, {}),
        ("probes=8,32", {"model": "resnet18", "probes": "8,32"}, {}, {}),
    ],
)
def test_settings_of_the_command_line(
    tmp_path: Path, override: str, settings: object, first: object, second: object
) -> None:
    profile = read_profile(write(tmp_path, PROFILE), [override])
    assert profile.settings == settings
    assert [each.options for each in profile.experiments] == [first, second]
    again = read_profile(write(tmp_path, profile.text))
    assert (again.settings, again.experiments) == (profile.settings, profile.experiments)
    assert "# Why." in profile.text
    twice = read_profile(write(tmp_path, profile.text), ["memory.probes=2"])
    assert twice.text.count("set = ") == 1
    assert twice.experiments[0].options["probes"] == 2


def test_without_overrides_the_text_is_that_of_the_file(tmp_path: Path) -> None:
    assert read_profile(write(tmp_path, PROFILE)).text == PROFILE


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("probes", "--set 'probes': expected key=value"),
        ("=8", "expected key=value"),
        (".probes=8", "expected key=value"),
        ("error.probes=8", "the profile has no experiment 'error'"),
    ],
)
def test_wrong_settings(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_profile(write(tmp_path, PROFILE), [override])
