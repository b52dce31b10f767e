"""The study of docs/training.md: six tasks, classification by another network, the MNIST table.

Run ``python -m benchmarks.training``: two hours on two cores; interrupted, it goes on. It calls
``xconv-bench``, copies its tables and pictures, and puts the figures into the page.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

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
            _train(command, RUNS / name)
        # Not earlier: what is measured should come from files that are committed.
        for name in COMMANDS:
            _keep(RUNS / name, folder / name)
    write_page(arguments.output / "training.md", folder)


def _train(arguments: list[str], run: Path) -> None:
    command = [sys.executable, "-m", "xconv_bench", *arguments, "--output", str(run)]
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    if code:
        sys.exit(f"{' '.join(command)} ended with exit code {code}")


def _keep(run: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in KEPT:
        for path in run.glob(pattern):
            shutil.copyfile(path, folder / path.name)


if __name__ == "__main__":
    main()
