"""The example in docs/profiles.md is a profile."""

import re
from pathlib import Path

from xconv_bench.cli.measuring import parsers
from xconv_bench.cli.planning import _refuse_unused, _with_settings
from xconv_bench.profiles import read_profile

PAGE = Path(__file__).resolve().parents[3] / "docs" / "profiles.md"


def test_its_profile_can_be_run(tmp_path: Path) -> None:
    (content,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "mine.toml"
    path.write_text(content)
    profile = read_profile(path)
    commands = parsers()
    for each in profile.experiments:
        command, *words = _with_settings(profile, each, commands).words
        commands[command].make_context(command, words)
    _refuse_unused(profile, commands)
    assert [str(limit) for limit in profile.limits] == [
        "memory/*/xconv: simulated_peak_bytes <= 0.7 * exact",
        "max_batch/*/xconv probes=8: max_batch_size >= 70",
        "memory/*/xconv: saved_bytes <= 1.02 * baseline",
        "runtime: step_ratio <= 1.1 * baseline beyond noise",
    ]


def test_false_switches_off_what_is_usually_on(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "t"\n[settings]\ncross-check = false\nmodel = "paper/mnist"\n'
        '[[experiment]]\ncommand = "memory"\nsimulate = false\n'
        '[[experiment]]\ncommand = "layers"\ncross-check = true\n'
    )
    profile, commands = read_profile(path), parsers()
    words = [_with_settings(profile, each, commands).words for each in profile.experiments]
    model = ["--model", "paper/mnist"]
    assert words == [
        ["memory", "--no-cross-check", *model],
        ["layers", "--cross-check", *model],
    ]
