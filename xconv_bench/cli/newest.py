"""The run that is meant where none is given."""

import sys
from pathlib import Path


def take_newest() -> Path:
    """Return the newest run below ``runs``, and say on standard error which that is.

    Raises UsageError where there is none.
    """
    from xconv_bench.results.recorded import newest_run

    run = newest_run()
    print(f"the newest run: {run}", file=sys.stderr)
    return run
