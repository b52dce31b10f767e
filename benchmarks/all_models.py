"""Check every network that has a name here, and count what it keeps.

Run ``python -m benchmarks.all_models``. Each network is converted, trained for a step and reverted
at a small image size, for real. A simulation counts what autograd keeps of its forward pass, at the
image size that the network was designed for. A table in the output keeps its rows of networks that
are not examined.
"""

import argparse
import csv
import gc
import itertools
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.model_check import CheckFailed, check
from benchmarks.models_page import line, page
from xconv import account, convert
from xconv_bench.configuration import SIMULATED, Configuration
from xconv_bench.measurement.training import Training, prepare_simulated
from xconv_bench.meters.saved import SavedMeter
from xconv_bench.models import Architecture, find, listing
from xconv_bench.models.messages import reason

PROBES = 8
CHECKED_SIZE = 64
"""Pixels a side of the images of the check; larger for networks that refuse such images."""
CHECKED_BATCH = 2
COUNTED_BATCH = 16


@dataclass(frozen=True)
class Count:
    """The converted parts of a network, and the bytes that autograd keeps before and after."""

    parameters: int
    convolutions: int
    convolutions_swapped: int
    relus: int
    relus_swapped: int
    left: str
    """Convolutions and ReLUs that keep what torch keeps, with the reasons."""
    other: str
    """Activations and attention that are not compressed at all."""
    exact_saved_bytes: int
    xconv_saved_bytes: int
    saved_ratio: float
    """Ratio of xconv's bytes to the exact network's."""


def count(architecture: Architecture) -> Count:
    """Count a network in a simulation, where tensors are empty and any size is quick."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    configuration = Configuration(
        architecture.name,
        batch_size=COUNTED_BATCH,
        image_size=architecture.image_size,
        device=SIMULATED,
    )
    training = prepare_simulated(configuration, mode)
    with mode:
        exact = _saved_bytes(training)
        convert(training.model, probes=PROBES)
        xconv = _saved_bytes(training)
    entries = account(training.model)  # after a forward pass, which decides what falls back
    relus = [entry for entry in entries if entry.family == "relu"]
    convolutions = [entry for entry in entries if entry.family == "conv"]
    left = [entry for entry in (*convolutions, *relus) if not entry.swapped]
    return Count(
        parameters=training.size()["parameters"],
        convolutions=len(convolutions),
        convolutions_swapped=sum(entry.swapped for entry in convolutions),
        relus=len(relus),
        relus_swapped=sum(entry.swapped for entry in relus),
        left=_tally([_brief(entry.reason) for entry in left]),
        other=_tally(_other_activations(training.model)),
        exact_saved_bytes=exact,
        xconv_saved_bytes=xconv,
        saved_ratio=round(xconv / exact, 4),
    )


def _saved_bytes(training: Training) -> int:
    meter = SavedMeter(training.state())
    with meter:
        loss = training.forward()
    reading = meter.reading["saved_bytes"]
    del loss  # frees the graph, and with it what was saved
    return reading


def _other_activations(model: nn.Module) -> list[str]:
    return [
        type(module).__name__
        for module in model.modules()
        if type(module).__module__ == nn.ReLU.__module__ and not isinstance(module, nn.ReLU)
    ]


def _brief(reason: str) -> str:
    """Return a reason without bytes and what follows from it."""
    return reason.partition(" (")[0].partition(":")[0]


def _tally(names: Sequence[str]) -> str:
    """Return how often each of ``names`` occurs, in words.

    >>> _tally(["SiLU", "Sigmoid", "SiLU"])
    '2 × SiLU, 1 × Sigmoid'
    """
    return ", ".join(f"{number} × {name}" for name, number in Counter(names).most_common())


def small_size(architecture: Architecture) -> int:
    """Return the pixels a side that the check takes."""
    return next(size for size in itertools.count(CHECKED_SIZE) if size in architecture.sizes)


def examine(architecture: Architecture) -> dict[str, Any]:
    """Return the row of one network; its column ``check`` says what went wrong."""
    row: dict[str, Any] = {
        "model": architecture.name,
        "family": architecture.family,
        "checked_image_size": small_size(architecture),
        "counted_image_size": architecture.image_size,
        "measured": date.today().isoformat(),
    }
    try:
        row |= asdict(count(architecture))
        check(architecture, row["checked_image_size"], CHECKED_BATCH, PROBES)
    except CheckFailed as failure:
        return {**row, "check": str(failure)}
    except Exception as error:
        return {**row, "check": reason(error)}
    return {**row, "check": "ok"}


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of ``models.csv`` in ``folder``, as they were written; none without it."""
    if not (folder / "models.csv").exists():
        return []
    kinds: dict[str, Any] = {field.name: field.type for field in fields(Count)}
    with (folder / "models.csv").open(newline="") as file:
        return [
            {
                name: kinds.get(name, str)(cell)
                for name, cell in row.items()
                if cell or kinds.get(name, str) is str
            }
            for row in csv.DictReader(file)
        ]


def write(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write all columns to ``models.csv``, and a page for people to ``models.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with (folder / "models.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "models.md").write_text(page(rows))


def main() -> int:
    """Print a line for each network as soon as it is known; return 1 if any check failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks (default: all)")
    parser.add_argument("--output", type=Path, help="folder for models.md and models.csv")
    parser.add_argument("--resume", action="store_true", help="only those the table there lacks")
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    if options.output is not None and (options.names or options.resume):
        rows = {row["model"]: row for row in read(options.output)}
    networks = [find(name) for name in options.names] or listing()
    if options.resume:
        networks = [each for each in networks if each.name not in rows]
    for place, architecture in enumerate(networks, start=1):
        print(f"{place}/{len(networks)} {architecture.name}", file=sys.stderr, flush=True)
        rows[architecture.name] = examine(architecture)
        print(line(rows[architecture.name]), flush=True)
        gc.collect()  # a network of 600 million parameters before the next one
        if options.output is not None:
            write(list(rows.values()), options.output)
    return int(any(row["check"] != "ok" for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
