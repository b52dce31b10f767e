"""``xconv-bench check``: compare the tables of a run with thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xconv_bench.cli.streams import say, tell
from xconv_bench.errors import UsageError

if TYPE_CHECKING:
    from xconv_bench.thresholds.limit import Limit
    from xconv_bench.thresholds.verdict import Verdict

Run = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN", help="Run directory to check.", show_default="the newest in runs"
    ),
]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Profile whose thresholds are checked: a name from `xconv-bench profiles`, or a TOML "
        "file.",
        show_default="the profile of the run",
    ),
]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="LIMIT",
        help="Check one more threshold, such as "
        '"memory/resnet50/xconv: simulated_peak_bytes <= 0.65 * exact".',
    ),
]
BaselinePath = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="RUN_OR_CSV",
        help="Run directory or CSV file that regressions are measured from.",
        show_default="the baseline of the profile",
    ),
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write the verdicts to FILE as JUnit XML."),
]
Github = Annotated[
    bool, typer.Option("--github", help="Print failures as annotations for GitHub Actions.")
]
Update = Annotated[
    bool,
    typer.Option("--update", help="Make this run the baseline, and show what changes."),
]


def check(
    run: Run = None,
    profile: ProfileName = None,
    limit: Limits = None,
    baseline: BaselinePath = None,
    junit: Junit = None,
    github: Github = False,
    update: Update = False,
) -> int:
    """Compare the tables of a run with thresholds; exit code 1 if any threshold fails.

    A threshold also fails if it selects no row, or a row that was not measured. Figures that depend
    on the machine are compared only with a baseline from the same machine.
    """
    from xconv_bench.cli.newest import take_newest
    from xconv_bench.report.tables.verdicts import print_changes, print_verdicts
    from xconv_bench.results.reading import read_tables
    from xconv_bench.thresholds.baseline import Baseline, read_environment
    from xconv_bench.thresholds.update import update_baseline
    from xconv_bench.thresholds.verdict import judge

    run = run or take_newest()
    limits, path = _thresholds(run, profile, limit or (), baseline)
    if update:
        if path is None:
            raise UsageError("--update needs a --baseline, or a profile that names one")
        print_changes(update_baseline(run, path, limits), path)
        return 0
    remarks: list[str] = []
    tables = read_tables(run, {each.table for each in limits}, remarks)
    for line in remarks:
        tell(line)
    needs = any(each.reference == "baseline" for each in limits)
    known = Baseline(path) if needs and path is not None else None
    verdicts = judge(limits, tables.__getitem__, read_environment(run), known)
    _write_reports(verdicts, junit)
    print_verdicts(verdicts, run, None if known is None else known.path)
    if github:
        _annotate(verdicts)
    return int(any(verdict.outcome == "fail" for verdict in verdicts))


def _thresholds(
    run: Path, name: str | None, texts: Sequence[str], baseline: Path | None
) -> tuple[list[Limit], Path | None]:
    """Return the limits, and the path of the baseline."""
    from xconv_bench.paths import is_file, is_folder
    from xconv_bench.profiles import find_profile, read_profile
    from xconv_bench.thresholds.limit import read_limit

    if not is_folder(run):
        raise UsageError(f"{run} is no directory: expected that of a run")
    limits = [read_limit(text) for text in texts]
    own = run / "profile.toml"
    path = find_profile(name) if name is not None else own if is_file(own) else None
    if path is None:
        if limits:
            return limits, baseline
        raise UsageError(f"{run} has no profile.toml: give --profile, or a --limit")
    profile = read_profile(path)
    limits += profile.limits
    if not limits:
        raise UsageError(f"{path} has no thresholds: add [[threshold]] or limits, or give --limit")
    # The baseline lies beside the profile, not beside the copy of the profile in the run.
    named = profile.baseline if path != own else None
    return limits, baseline or named


def _write_reports(verdicts: Sequence[Verdict], junit: Path | None) -> None:
    from xconv_bench.report.tables.verdicts import junit_xml
    from xconv_bench.results.files import explained, write_whole

    if junit is not None:
        with explained(junit, option="--junit"):
            write_whole(junit, junit_xml(verdicts))


def _annotate(verdicts: Sequence[Verdict]) -> None:
    from xconv_bench.report.tables.verdicts import github_lines

    for line in github_lines(verdicts):
        say(line)
