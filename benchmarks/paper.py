"""Measure what docs/paper.md holds against the paper's figures, and write its tables.

Run ``python -m benchmarks.paper``. It runs the profiles of ``profiles/paper`` that the page shows
and looks for the largest batches of forms of VanillaNet, copies their tables to ``docs/paper`` and
puts the figures into the page. With ``--page-only`` it measures nothing. Figures that were never
measured are "not run" in the page.
"""

import argparse
from pathlib import Path

from benchmarks.paper_page import write_page
from benchmarks.study import keep, measure

RUNS = Path("runs/paper")
PROFILES = (
    "gradient_error", "peak_memory", "vanillanet_max_batch", "quality_against_probes",
)  # fmt: skip
BATCHES = (
    "max-batch", "--image-size", "64,128,256,512", "--method", "exact,xconv",
    "--scheme", "independent", "--memory-budget", "16GiB", "--headroom", "0.92", "--no-cross-check",
)  # fmt: skip
FORMS = {
    "evaluating": ("--probes", "16"),
    "wide_stem": ("--probes", "16"),
    "without_series": ("--probes", "16"),
    "byte_masks": ("--probes", "16,256", "--compress", "conv"),
}
"""Options with which each form of VanillaNet is measured."""
COMMANDS: dict[str, list[tuple[str, ...]]] = {
    **{name: [("run", f"paper/{name}")] for name in PROFILES},
    "vanillanet_forms": [
        (*BATCHES, "--model", f"benchmarks/vanillanet_forms.py:{form}", *options)
        for form, options in FORMS.items()
    ],
}
"""The commands that fill each folder of ``docs/paper``."""
KEPT = ("error.csv", "memory.csv", "max_batch.csv", "training.csv", "environment.json")


def main() -> None:
    """Measure what has not been measured yet, then write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the page")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    parser.add_argument("--only", choices=COMMANDS, help="run this alone")
    arguments = parser.parse_args()
    if not arguments.page_only:
        chosen = [arguments.only] if arguments.only else COMMANDS
        for name in chosen:
            for command in COMMANDS[name]:
                measure(command, RUNS / name)
            keep(RUNS / name, arguments.output / "paper" / name, KEPT)
    write_page(arguments.output / "paper.md", arguments.output)


if __name__ == "__main__":
    main()
