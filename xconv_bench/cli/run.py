"""``xconv-bench run``: run the experiments of a profile into one directory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xconv_bench import interrupts
from xconv_bench.cli import options
from xconv_bench.cli.experiment import Experiment, print_written
from xconv_bench.cli.planning import plan_experiments
from xconv_bench.cli.resume import resumable
from xconv_bench.cli.streams import say, tell
from xconv_bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.profiles import Profile
    from xconv_bench.report.tables.profile import Part
    from xconv_bench.results.run_directory import RunDirectory
    from xconv_bench.results.table import Row

ProfileName = Annotated[
    str | None,
    typer.Argument(
        metavar="PROFILE", show_default=False,
        help="Profile to run: a name from `xconv-bench profiles`, or a TOML file.",
    ),
]  # fmt: skip
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Replace a setting of the profile, in all experiments (probes=8) or in those of one "
        "command (memory.probes=8).",
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option(
        "--resume", metavar="FOLDER", help="Resume the run in FOLDER: measure what it lacks."
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Show what would be measured, with its memory and time; measure nothing."
    ),
]


def run(
    profile: ProfileName = None,
    overrides: Overrides = None,
    resume: Resume = None,
    dry_run: DryRun = False,
    jobs: options.Jobs = None,
    launcher: options.Launcher = None,
    address: options.Address = None,
    log: options.Log = None,
    output: options.Output = None,
) -> int:
    """Run the experiments of a profile, one after another, into one directory.

    A run that was interrupted or killed is resumed with --resume.
    """
    from xconv_bench.profiles import read_profile
    from xconv_bench.results.run_directory import RunDirectory

    path, output = _chosen(profile, overrides, resume, output)
    plan = read_profile(path, overrides or ())
    more = _words(jobs, launcher, address)
    places = options.read_log(log)
    experiments = [
        replace(each, log=tuple(dict.fromkeys((*each.log, *places))))
        for each in plan_experiments(plan, more)
    ]
    if dry_run:
        _show_plan(plan, experiments)
        return 0

    def go_on(folder: Path) -> list[str]:
        logs = [word for place in places for word in ("--log", place)]
        return ["run", "--resume", str(folder), *more, *logs]

    option = "--output" if resume is None else "--resume"
    with RunDirectory("run", path.stem, output, option) as directory, resumable(directory, go_on):
        return _carry_out(plan, profile or "", experiments, directory)


def _chosen(
    profile: str | None, overrides: list[str] | None, resume: Path | None, output: Path | None
) -> tuple[Path, Path | None]:
    """Return the file of the profile, and the directory of the run where it is given."""
    from xconv_bench.paths import is_file
    from xconv_bench.profiles import find_profile

    if resume is None:
        if profile is None:
            raise UsageError(
                "run needs a PROFILE, one of `xconv-bench profiles` or a file, or --resume FOLDER"
            )
        return find_profile(profile), output
    if profile is not None or overrides or output is not None:
        raise UsageError("--resume takes all from its folder: leave out PROFILE, --set, --output")
    path = resume / "profile.toml"
    if not is_file(path):
        raise UsageError(f"--resume {resume}: no run of a profile is there (no profile.toml)")
    return path, resume


def _words(jobs: int | None, launcher: str | None, address: str | None) -> list[str]:
    """Return the words for the command line of each experiment."""
    given = {"--jobs": jobs, "--launcher": launcher, "--address": address}
    return [word for name, value in given.items() if value for word in (name, str(value))]


def _carry_out(
    plan: Profile, profile: str, experiments: Sequence[Experiment], directory: RunDirectory
) -> int:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.report.tables.profile import print_run_summary
    from xconv_bench.results.environment import record_environment
    from xconv_bench.results.files import explained, write_whole

    for experiment in experiments:
        experiment.check(directory)
    with explained(directory.path, option=directory.option):
        write_whole(directory.path / "profile.toml", plan.text.encode())
    record_environment(directory.environment, experiments[0].cells[0].seed)
    progress = SweepProgress(sum(len(experiment.cells) for experiment in experiments))
    parts: list[Part] = []
    pictures: list[Path] = []
    codes: list[int] = []
    rows: dict[tuple[str, ...], list[Row]] = {}
    for number, experiment in enumerate(experiments, 1):
        progress.says(f"{plan.title}: {number} of {len(experiments)}: {experiment.name}")
        earlier = rows.setdefault(experiment.tables, [])
        part, drawn, code = _carry_out_one(experiment, directory, progress, earlier)
        earlier += part.rows
        parts.append(part)
        pictures += drawn
        codes.append(code)
        say()
    print_run_summary(plan.title, parts)
    print_written(experiments, directory, list(dict.fromkeys(pictures)))
    _advise(plan, profile, directory.path)
    return max(codes)


def _carry_out_one(
    experiment: Experiment,
    directory: RunDirectory,
    progress: SweepProgress,
    earlier: Sequence[Row],
) -> tuple[Part, Sequence[Path], int]:
    """Carry out an experiment; where it cannot be made, say so, so that the others still are."""
    from xconv_bench.report.tables.profile import Part

    began = time.monotonic()
    try:
        rows, pictures = experiment.measure_and_show(directory, progress, earlier)
    except UsageError:
        raise
    except BenchError as error:
        interrupts.check()  # it may be the cause
        if isinstance(error.__cause__, OSError):  # no other experiment could write either
            raise
        progress.says(f"{experiment.name}: {error}")
        return Part(experiment.name, [], time.monotonic() - began, str(error)), [], error.exit_code
    part = Part(experiment.name, rows, time.monotonic() - began)
    return part, pictures, experiment.code(rows)


def _advise(plan: Profile, profile: str, directory: Path) -> None:
    tell(f"to look at it: xconv-bench report {directory}")
    if plan.limits:
        named = f" --profile {profile}" if profile else ""
        tell(f"its thresholds: xconv-bench check {directory}{named}")


def _show_plan(plan: Profile, experiments: Sequence[Experiment]) -> None:
    from xconv_bench.cli.progress import SweepProgress
    from xconv_bench.experiments.estimates import Estimator
    from xconv_bench.report.tables.profile import print_plan

    lines = []
    with SweepProgress(sum(len(experiment.cells) for experiment in experiments)) as progress:
        for experiment in experiments:
            estimator = Estimator(experiment.launcher, progress.prepares, experiment.estimate)
            costs = estimator.costs(experiment.cells, experiment.steps, experiment.simulations)
            lines.append(
                (experiment.name, [(c.cell.key, c.peak_bytes, c.seconds, c.message) for c in costs])
            )
    print_plan(plan.title, lines)
