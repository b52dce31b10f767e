"""``xconv-bench run``: the commands of a profile, one after another, into one directory."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from xconv_bench.cli import options
from xconv_bench.errors import UsageError

ProfilePath = Annotated[
    Path, typer.Argument(metavar="PROFILE", help="A TOML file, such as those in profiles.")
]


def run(context: typer.Context, profile: ProfilePath, output: options.Output = None) -> int:
    """Run the commands of a profile, one after another, into one directory.

    Interrupted, it goes on where it was with the same --output.
    """
    from xconv_bench.profiles import read_profile
    from xconv_bench.results.run_directory import RunDirectory

    plan = read_profile(profile)
    known: dict[str, Any] = getattr(context.parent and context.parent.command, "commands", {})
    known = {name: command for name, command in known.items() if name != context.command.name}
    for name, *words in plan.commands:
        if name not in known:
            choice = ", ".join(sorted(known))
            raise UsageError(f"{profile}: command {name!r} is unknown: choose from {choice}")
        # All of them before the first is run.
        known[name].make_context(name, words)
    with RunDirectory("run", profile.stem, output) as directory:
        shutil.copyfile(profile, directory.path / "profile.toml")
    codes = []
    for number, (name, *words) in enumerate(plan.commands, 1):
        print(f"{plan.title}: {number} of {len(plan.commands)}: {name}", file=sys.stderr)
        words += ["--output", str(directory.path)]
        codes.append(known[name].main(words, prog_name=name, standalone_mode=False) or 0)
    return max(codes)
