"""The study of docs/accuracy.md: ResNet-18 on photographs, before and after some training.

Run ``python -m benchmarks.accuracy``: half an hour on two cores; interrupted, it goes on.
It calls ``xconv-bench error`` and ``xconv-bench variance``, copies their tables and pictures, and
puts the figures into the page.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.accuracy_page import write_page

RUNS = Path("runs/accuracy")
STARTS = {"initial": [], "trained": ["--warmup-steps", "100"]}
COMMON = [
    "--model", "resnet18", "--image-size", "112", "--data", "photos", "--batch-size", "32",
    "--scheme", "independent,multi,orthogonal", "--probes", "16,64,256",
]  # fmt: skip
EXPERIMENTS = {
    "error": ["--repeats", "32", "--bias-test"],
    "variance": ["--minibatches", "10", "--repeats", "2"],
}
KEPT = ("error.csv", "variance.csv", "variance_law.csv", "environment.json", "plots/*.png")


def main() -> None:
    """Measure what is not measured yet, then write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs"), help="where the page is")
    parser.add_argument("--page-only", action="store_true", help="of what was measured before")
    arguments = parser.parse_args()
    folder = arguments.output / "accuracy"
    if not arguments.page_only:
        for start, options in STARTS.items():
            for experiment, more in EXPERIMENTS.items():
                _measure(experiment, [*COMMON, *more, *options], RUNS / start)
        # Not earlier: what is measured should come from files that are committed.
        for start in STARTS:
            _keep(RUNS / start, folder / start)
    write_page(arguments.output / "accuracy.md", folder, list(STARTS))


def _measure(experiment: str, options: list[str], run: Path) -> None:
    command = [sys.executable, "-m", "xconv_bench", experiment, *options, "--output", str(run)]
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
