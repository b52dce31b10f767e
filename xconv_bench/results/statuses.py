"""The ways in which measurements end, as the ``status`` of their rows says."""

DOUBTFUL = "doubtful"
"""The status of a row whose simulated figures differ from those of a real step."""

MEASURED_STATUSES = frozenset({"ok", DOUBTFUL})
"""The statuses of rows that have figures; in doubt are the simulated ones alone."""

FINAL_STATUSES = MEASURED_STATUSES | {"oom", "unsupported", "diverged"}
"""A resumed run does not measure these again; ``error`` and ``timeout`` may have been bad luck."""
