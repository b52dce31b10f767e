"""Measure what docs/paper.md holds against the paper's figures, and write its tables.

Run ``python -m benchmarks.paper``. It runs the profiles of ``profiles/paper`` that the page shows,
copies their tables to ``docs/paper`` and puts the figures into the page. With ``--page-only`` it
measures nothing. A profile that was never run leaves "not run" in the page.
"""

import argparse
from pathlib import Path

from benchmarks.paper_page import write_page
from benchmarks.study import keep, measure

RUNS = Path("runs/paper")
PROFILES = (
    "gradient_error", "peak_memory", "vanillanet_max_batch", "quality_against_probes",
)  # fmt: skip
KEPT = ("error.csv", "memory.csv", "max_batch.csv", "training.csv", "environment.json")


def main() -> None:
    """Measure what has not been measured yet, then write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the page")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    parser.add_argument("--only", choices=PROFILES, help="run this profile only")
    arguments = parser.parse_args()
    if not arguments.page_only:
        chosen = [arguments.only] if arguments.only else PROFILES
        for name in chosen:
            measure(["run", f"paper/{name}"], RUNS / name)
        for name in chosen:
            keep(RUNS / name, arguments.output / "paper" / name, KEPT)
    write_page(arguments.output / "paper.md", arguments.output)


if __name__ == "__main__":
    main()
