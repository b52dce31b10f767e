"""Find the run to read where none is given."""

from pathlib import Path

from xconv_bench.cli.streams import tell


def take_newest() -> Path:
    """Return the newest run below ``runs``, and say on standard error which that is.

    Raises UsageError where there is none.
    """
    from xconv_bench.results.recorded import newest_run

    run = newest_run()
    tell(f"the newest run: {run}")
    return run
