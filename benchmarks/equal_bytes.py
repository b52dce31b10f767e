"""Measure the study of docs/spectral.md: errors of all schemes at equal bytes, five networks.

Run ``python -m benchmarks.equal_bytes``. It takes minutes on a GPU and hours on two cores, and
continues where it was interrupted. It calls ``xconv-bench error`` for each network, trained for 100
steps on photographs, copies the tables and puts the figures into the page.
"""

import argparse
from pathlib import Path

from benchmarks.equal_bytes_page import write_page
from benchmarks.study import keep, measure

RUNS = Path("runs/equal_bytes")
NETWORKS = {
    "resnet18": ["--model", "resnet18", "--image-size", "128"],
    "resnet50": ["--model", "resnet50", "--image-size", "128"],
    "squeezenet": ["--model", "squeezenet1_0", "--image-size", "128"],
    "cifar": ["--model", "paper/cifar", "--image-size", "32"],
    "unet": ["--model", "paper/unet", "--image-size", "128"],
}
COMMON = [
    "--data", "photos", "--batch-size", "16", "--warmup-steps", "100", "--repeats", "6",
    "--method", "exact,xconv", "--scheme", "independent,spectral,quantized",
    "--probes", "1,4,16,64,256", "--bits", "0.25,0.5,1,2,4", "--allot", "network,layer",
]  # fmt: skip
KEPT = ("error.csv", "environment.json")


def main() -> None:
    """Measure what has not been measured yet, then write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the page")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    parser.add_argument("--only", choices=NETWORKS, help="measure this network, write no page")
    arguments = parser.parse_args()
    folder = arguments.output / "equal_bytes"
    if not arguments.page_only:
        for name in [arguments.only] if arguments.only else NETWORKS:
            measure(["error", *NETWORKS[name], *COMMON], RUNS / name)
    if not arguments.only:
        for name in NETWORKS:
            if (RUNS / name).exists():
                keep(RUNS / name, folder / name, KEPT)
        write_page(arguments.output / "spectral.md", folder, list(NETWORKS))


if __name__ == "__main__":
    main()
