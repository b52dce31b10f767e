"""The study of docs/training.md: six tasks, classification by another network, the MNIST table.

Run ``python -m benchmarks.training``: two hours on two cores; interrupted, it goes on. It calls
``xconv-bench``, copies its tables and pictures, and puts the figures into the page.
"""

import argparse
from pathlib import Path

from benchmarks.study import keep, measure
from benchmarks.training_page import write_page

RUNS = Path("runs/training")
COMMANDS = {
    "tasks": ["run", "tasks"],
    "cifar": [
        "train", "--model", "paper/cifar", "--method", "exact,xconv,quantized,rad-sampling",
        "--probes", "4,16,64", "--bits", "2", "--keep", "0.1", "--seeds", "3",
    ],
    "mnist": ["run", "paper/mnist", "--set", "seeds=3"],
}  # fmt: skip
KEPT = ("training.csv", "environment.json", "plots/*.png")


def main() -> None:
    """Train what is not trained yet, then write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs"), help="where the page is")
    parser.add_argument("--page-only", action="store_true", help="of what was trained before")
    arguments = parser.parse_args()
    folder = arguments.output / "training"
    if not arguments.page_only:
        for name, command in COMMANDS.items():
            measure(command, RUNS / name)
        # Not earlier: what is measured should come from files that are committed.
        for name in COMMANDS:
            keep(RUNS / name, folder / name, KEPT)
    write_page(arguments.output / "training.md", folder)


if __name__ == "__main__":
    main()
