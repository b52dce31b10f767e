"""Measure the study of docs/accuracy.md: ResNet-18 on photographs, before and after training.

Run ``python -m benchmarks.accuracy``. It takes half an hour on two cores, and continues where it
was interrupted. It calls ``xconv-bench error`` and ``xconv-bench variance``, copies their tables
and pictures, and puts the figures into the page.
"""

import argparse
from pathlib import Path

from benchmarks.accuracy_page import write_page
from benchmarks.study import keep, measure

RUNS = Path("runs/accuracy")
STARTS = {"initial": [], "trained": ["--warmup-steps", "100"]}
COMMON = [
    "--model", "resnet18", "--image-size", "112", "--data", "photos", "--batch-size", "32",
    "--scheme", "independent,multi,orthogonal,spectral,quantized", "--probes", "16,64,256",
    "--bits", "0.5,1,2",
]  # fmt: skip
EXPERIMENTS = {
    "error": ["--repeats", "32", "--bias-test"],
    "variance": ["--minibatches", "10", "--repeats", "2"],
}
KEPT = ("error.csv", "variance.csv", "variance_law.csv", "environment.json", "plots/*.png")


def main() -> None:
    """Measure what has not been measured yet, then write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the page")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    folder = arguments.output / "accuracy"
    if not arguments.page_only:
        for start, options in STARTS.items():
            for experiment, more in EXPERIMENTS.items():
                measure([experiment, *COMMON, *more, *options], RUNS / start)
        # Copied last, so that measurements record a checkout without changes.
        for start in STARTS:
            keep(RUNS / start, folder / start, KEPT)
    write_page(arguments.output / "accuracy.md", folder, list(STARTS))


if __name__ == "__main__":
    main()
