"""Measure peaks of whole networks, method by method: ``python -m benchmarks.whole_network``.

Steps are simulated, not computed. The largest batch is where the line through the peaks of two
batches meets the budget. Rows that are in the table already are not measured again.
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.whole_network_page import page
from xconv.conversion import FAMILIES
from xconv.schemes.spectral import Spectral
from xconv_bench.configuration import SIMULATED, Configuration, MaxBatchConfiguration
from xconv_bench.measurement.counting import Simulation
from xconv_bench.models import find, listing
from xconv_bench.models.messages import reason

BATCHES = (16, 64)
BUDGET_BYTES = int(MaxBatchConfiguration.headroom * 24 * 2**30)
"""Bytes that a step may take of 24 GiB."""

_ALL: dict[str, Any] = {
    "scheme": "spectral", "bits": Spectral.default, "compress": ",".join(FAMILIES),
    "first": "exact",
    "allot": "network", "norm_bits": 4,
}  # fmt: skip
METHODS: dict[str, dict[str, Any]] = {
    "exact": {"method": "exact"},
    "paper": {
        "method": "xconv", "scheme": "independent", "probes": 8, "distribution": "rademacher",
        "compress": "conv,relu", "first": "exact", "allot": "layer",
    },
    "all": {"method": "xconv", **_ALL},
    "checkpoint": {"method": "checkpoint"},
    "all and checkpoint": {"method": "xconv+checkpoint", **_ALL},
}  # fmt: skip
"""The paper's method, everything compressed, checkpoints, and the last two together."""

FIRST: tuple[tuple[str, int | None, tuple[int, int]], ...] = (
    ("resnet50", None, BATCHES), ("resnet18", None, BATCHES), ("vgg16", None, BATCHES),
    ("mobilenet_v2", None, BATCHES), ("squeezenet1_0", 512, (16, 78)),
    ("efficientnet_b0", None, BATCHES), ("convnext_tiny", None, BATCHES),
    ("densenet121", None, BATCHES), ("googlenet", None, BATCHES),
    ("deeplabv3_resnet50", 224, BATCHES), ("swin_t", None, BATCHES), ("paper/unet", None, BATCHES),
)  # fmt: skip
"""Networks that have a goal, with an image size and two batches."""


def measure(model: str, image_size: int, batches: tuple[int, int], name: str) -> dict[str, Any]:
    """Return the row of one network and method; its column ``message`` says what went wrong."""
    few, many = batches
    row: dict[str, Any] = {
        "model": model, "image_size": image_size, "batch_size": many, "method": name,
    }  # fmt: skip
    try:
        knobs = METHODS[name]
        cell = Configuration(
            model, batch_size=few, image_size=image_size, device=SIMULATED, **knobs
        )
        simulation = Simulation(cell)
        low, counted = simulation.count(few).peak_bytes, simulation.count(many)
    except Exception as error:
        return {
            **row,
            "peak_bytes": "",
            "saved_bytes": "",
            "max_batch": "",
            "message": reason(error),
        }
    slope = (counted.peak_bytes - low) / (many - few)
    largest = many + int((BUDGET_BYTES - counted.peak_bytes) // slope)
    return {
        **row,
        "peak_bytes": counted.peak_bytes,
        "saved_bytes": counted.saved_bytes,
        "max_batch": largest,
        "message": "",
    }


def wanted(names: Sequence[str]) -> list[tuple[str, int, tuple[int, int]]]:
    """Return networks with image size and batches: those with a goal, then all classifiers."""
    cells = [(name, size or find(name).image_size, batches) for name, size, batches in FIRST]
    cells += [
        (each.name, each.image_size, BATCHES)
        for each in listing()
        if each.family == "classification"
    ]
    return [cell for cell in dict.fromkeys(cells) if not names or cell[0] in names]


def write(rows: Iterable[dict[str, Any]], folder: Path) -> None:
    """Write ``whole_network.csv``, and ``whole_network.md`` for people."""
    rows = list(rows)
    with (folder / "whole_network.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "whole_network.md").write_text(page(rows))


def known(folder: Path) -> list[dict[str, Any]]:
    """Return the rows that are in ``folder`` already."""
    path = folder / "whole_network.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> int:
    """Measure what is missing, network by network, and write the page after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks (default: all)")
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the page")
    parser.add_argument("--jobs", type=int, default=2, help="simulations side by side")
    options = parser.parse_args()
    rows = {_place(row): row for row in known(options.output)}
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), max_tasks_per_child=5) as pool:
        for cell in wanted(options.names):
            missing = [name for name in METHODS if (cell[0], str(cell[1]), name) not in rows]
            if not missing:
                continue
            for future in [pool.submit(measure, *cell, name) for name in missing]:
                rows[_place(future.result())] = future.result()
                print(*future.result().values(), file=sys.stderr)
            write(_in_order(rows), options.output)
    return 0


def _place(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["model"], str(row["image_size"]), row["method"]


def _in_order(rows: dict[tuple[str, str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows network by network, methods in the order in which pages show them."""
    places = [(cell[0], str(cell[1]), name) for cell in wanted(()) for name in METHODS]
    return [rows[place] for place in places if place in rows]


if __name__ == "__main__":
    sys.exit(main())
